import numpy as np
import pytest

from services.memory.fusion import Weights, fuse, share, spread
from services.memory.records import Level
from services.memory.store import Candidates


def rows(*entries, level=Level.EPISODE) -> Candidates:
    """Entries of (soma, ordinal, similarity, text score[, speaker])."""
    return Candidates(
        ids=[str(place) for place in range(len(entries))],
        levels=[level] * len(entries),
        somas=[entry[0] for entry in entries],
        ordinals=[entry[1] for entry in entries],
        speakers=[entry[4] if len(entry) > 4 else "user" for entry in entries],
        similarities=np.array([entry[2] for entry in entries], dtype=np.float64),
        text_scores=np.array([entry[3] for entry in entries], dtype=np.float64),
    )


NONE = rows()


def test_parts_lie_between_0_and_1_and_add_up_to_the_score() -> None:
    weights = Weights()
    fused = fuse(
        rows(("a", 0, -0.2, 0), ("a", 1, 0.9, 7), ("b", 0, 0.5, 3)), NONE, frozenset(), weights
    )
    for part in (fused.vector, fused.text, fused.prior):
        assert part.min() >= 0
        assert part.max() <= 1
    total = weights.vector * fused.vector + weights.text * fused.text + weights.prior * fused.prior
    assert fused.score == pytest.approx(total)


def test_the_turn_after_a_match_rises_more_than_the_turn_before() -> None:
    fused = fuse(
        rows(("a", 0, 0, 0), ("a", 1, 1, 5), ("a", 2, 0, 0), ("a", 9, 0, 0)),
        NONE, frozenset(), Weights(),
    )  # fmt: skip
    before, match, after, far = fused.score
    assert match > after > before > far


def test_neighbours_are_of_the_same_soma() -> None:
    fused = fuse(rows(("a", 1, 1, 5), ("b", 2, 0, 0), ("b", 7, 0, 0)), NONE, frozenset(), Weights())
    assert fused.score[1] == pytest.approx(fused.score[2])


def test_a_fitting_summary_lifts_its_soma_and_hides_nobody() -> None:
    episodes = rows(("a", 0, 0.5, 1), ("b", 0, 0.5, 1), ("c", 5, 1.0, 9))
    told = rows(("b", 0, 0.9, 4), ("a", 0, 0.1, 0), level=Level.SUMMARY)
    fused = fuse(episodes, told, frozenset(), Weights())
    assert fused.score[1] > fused.score[0] > 0
    assert fused.score.argmax() == 2


def test_a_named_speaker_is_preferred() -> None:
    episodes = rows(("", 0, 0.5, 1, "Caroline"), ("", 0, 0.5, 1, "Melanie"))
    fused = fuse(episodes, NONE, frozenset({"melanie"}), Weights())
    assert fused.score[1] > fused.score[0]


def test_no_rows_give_no_scores() -> None:
    assert fuse(NONE, NONE, frozenset(), Weights()).score.shape == (0,)


def test_normalisation() -> None:
    assert spread(np.array([2.0, 4.0, 3.0])).tolist() == [0, 1, 0.5]
    assert spread(np.array([2.0, 2.0])).tolist() == [1, 1]
    assert share(np.array([0.0, 4.0])).tolist() == [0, 1]
    assert share(np.array([0.0, 0.0])).tolist() == [0, 0]
