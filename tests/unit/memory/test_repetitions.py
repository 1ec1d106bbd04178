from dataclasses import replace
from datetime import timedelta

from services.memory.records import LABEL_LIMIT
from services.memory.repetitions import LAST_SAID, REPEATED, merges
from tests.unit.memory.drafts import START, episode, records


def said(*texts: str, speaker: str = "user"):
    return records(*(episode(text, second=n, speaker=speaker) for n, text in enumerate(texts)))


def test_the_first_stands_for_the_others() -> None:
    rows = said("My parrot likes green apples.", "Oh?", "my parrot  likes GREEN apples!!")
    (merge,) = merges(rows)
    assert merge.merged == (rows[2],)
    last = (START + timedelta(seconds=2)).isoformat()
    assert merge.kept == replace(rows[0], metadata={REPEATED: "2", LAST_SAID: last})


def test_what_differs_is_kept() -> None:
    assert not merges(
        said(
            "My parrot likes 3 green apples.",
            "My parrot likes 4 green apples.",
            "My parrot likes no green apples.",
            "Green apples likes my parrot.",
        )
    )
    assert not merges(
        [
            *said("My parrot likes green apples."),
            *said("My parrot likes green apples.", speaker="Mel"),
        ]
    )


def test_short_answers_are_kept_since_each_answers_something_else() -> None:
    assert not merges(said("Yes, it is.", "Yes, it is.", "Green apples!", "Green apples!"))


def test_merging_goes_on_from_an_earlier_merge() -> None:
    text = "My parrot likes green apples."
    first, second, third = said(text, text, text)
    (merge,) = merges([first, second])
    (again,) = merges([merge.kept, third])
    assert again.kept.metadata[REPEATED] == "3"
    assert again.kept.metadata[LAST_SAID] == (START + timedelta(seconds=2)).isoformat()


def test_the_labels_stay_within_their_limit() -> None:
    text = "My parrot likes green apples."
    first, second = said(text, text)
    full = replace(first, metadata={str(n): "" for n in range(LABEL_LIMIT)})
    assert not merges([full, second])
