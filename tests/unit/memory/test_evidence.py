"""What lifts a turn, one cue at a time: two turns that differ in that alone."""

from datetime import UTC, datetime

import numpy as np
import pytest

from services.memory.candidates import Row
from services.memory.evidence import Judge, Judged, Question, Weights
from services.memory.frequencies import Frequencies
from services.memory.lexicon import Lexicon
from services.memory.records import Level
from services.memory.scores import share, spread
from services.memory.turns import Analysis
from services.memory.windows import Windows

NAMES = frozenset({"caroline", "melanie"})


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon()


def said(text: str, soma: str, ordinal: int = 0, speaker: str = "user", day: int = 1) -> Row:
    at = datetime(2023, 5, day, tzinfo=UTC)
    return Row(f"{soma}/{ordinal}", Level.EPISODE, soma, ordinal, speaker, text, at, 0.0)


def judged(lexicon: Lexicon, question: str, *rows: Row, told: dict | None = None) -> Judged:
    frequencies = Frequencies([row.text for row in rows], lexicon)
    turns = Analysis(lexicon).turns(rows, frequencies, NAMES)
    named = frozenset(question.lower().split()) & NAMES
    judge = Judge(frequencies, lexicon, Weights())
    asked = Question.of(question, named, lexicon)
    return judge.judge(asked, Windows(lexicon, turns), told or {})


def test_parts_lie_between_0_and_1_and_add_up_to_the_score(lexicon: Lexicon) -> None:
    weights = Weights()
    found = judged(
        lexicon,
        "What did Caroline adopt in May 2023?",
        said("I adopted a cat", "a", 0, "Caroline"),
        said("How nice!", "a", 1, "Melanie"),
        said("Trains were late", "b", 0, "Melanie", day=9),
        told={"a": 1.0},
    )
    for part in (found.vector, found.text, found.prior):
        assert part.min() >= 0
        assert part.max() <= 1 + 1e-9
    total = (
        weights.vector * found.vector + weights.window * found.text + weights.prior * found.prior
    )
    assert found.score == pytest.approx(total)


def higher(lexicon: Lexicon, question: str, *rows: Row, told: dict | None = None) -> None:
    """The first row scores higher than the second."""
    first, second, *_ = judged(lexicon, question, *rows, told=told).score
    assert first > second


def test_a_word_in_another_form_counts(lexicon: Lexicon) -> None:
    higher(lexicon, "who adopts", said("we adopted it", "a"), said("we repaired it", "b"))


def test_a_word_of_like_meaning_counts(lexicon: Lexicon) -> None:
    higher(lexicon, "which kitten", said("a grey cat", "a"), said("a grey tax", "b"))


def test_a_rare_word_counts_more_than_a_common_one(lexicon: Lexicon) -> None:
    common = [said("the garden again", f"x{place}") for place in range(8)]
    higher(lexicon, "fjord garden", said("a fjord", "a"), said("a garden", "b"), *common)


def test_what_is_said_beside_counts_in_the_same_soma_alone(lexicon: Lexicon) -> None:
    higher(
        lexicon,
        "where is the pottery class",
        said("On Saturday.", "a", 1),
        said("On Saturday.", "b", 1),
        said("The pottery class?", "a", 0),
        said("The pottery class?", "c", 0),
    )


def test_the_named_speaker_is_preferred(lexicon: Lexicon) -> None:
    higher(
        lexicon,
        "what does caroline like",
        said("I like tea", "a", speaker="Caroline"),
        said("I like tea", "b", speaker="Melanie"),
    )


def test_a_named_date_prefers_what_was_said_then(lexicon: Lexicon) -> None:
    higher(
        lexicon,
        "what was on 9 May 2023",
        said("We had tea", "a", day=10),
        said("We had tea", "b", day=30),
    )


def test_a_statement_comes_before_a_question(lexicon: Lexicon) -> None:
    higher(lexicon, "grey cat", said("a grey cat", "a"), said("a grey cat?", "b"))


def test_a_fitting_summary_lifts_its_soma(lexicon: Lexicon) -> None:
    rows = (said("We had tea", "a"), said("We had tea", "b"))
    higher(lexicon, "tea", *rows, told={"a": 0.9, "b": 0.1})


@pytest.mark.parametrize("question", ["the", "?", "caroline", "what did caroline do"])
def test_a_question_without_a_topic_is_answered(lexicon: Lexicon, question: str) -> None:
    found = judged(lexicon, question, said("", "a"), said("I like tea", "b"))
    assert np.isfinite(found.score).all()


def test_normalisation() -> None:
    assert spread(np.array([2.0, 4.0, 3.0])).tolist() == [0, 1, 0.5]
    assert spread(np.array([2.0, 2.0])).tolist() == [1, 1]
    assert share(np.array([0.0, 4.0])).tolist() == [0, 1]
    assert share(np.array([0.0, 0.0])).tolist() == [0, 0]
