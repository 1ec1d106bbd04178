from dataclasses import replace
from datetime import timedelta

import pytest

from services.memory.extract import LENGTH, summary_of
from tests.unit.memory.drafts import episode, records


def said(*texts: str, speaker: str = "Caroline", days: int = 0):
    rows = records(*(episode(text, second=n, speaker=speaker) for n, text in enumerate(texts)))
    return [replace(row, created_at=row.created_at + timedelta(days=days)) for row in rows]


def test_it_says_who_and_when_and_whom() -> None:
    talk = [*said("We walked along the river with Oscar Wilde."), *said("Lovely!", speaker="Mel")]
    text = summary_of(talk)
    assert text.startswith("1 March 2024, Caroline and Mel.")
    assert "Caroline: We walked along the river with Oscar Wilde." in text
    assert text.endswith("Named: Oscar Wilde.")


def test_central_sentences_come_before_asides() -> None:
    filler = [f"Topic {n} concerns unrelated item{n} only{n} once{n}." for n in range(80)]
    core = ["The garden needs water.", "We water the garden daily.", "The garden gate is open."]
    text = summary_of(said(*filler, *core))
    assert all(sentence in text for sentence in core)
    assert len(text) < LENGTH + 700


def test_what_is_told_again_is_told_once() -> None:
    text = summary_of(said("The garden needs more water.", "the garden needs more water!"))
    assert text.lower().count("needs more water") == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("My parrot lives in Paris.", "My parrot lives in Rome."),
        ("I like green tea.", "I don't like green tea."),
        ("The train leaves at 9 every morning.", "The train leaves at 10 every morning."),
    ],
)
def test_contradictions_stand_with_their_times(before: str, after: str) -> None:
    text = summary_of([*said(before, "Nothing else happened today."), *said(after, days=3)])
    assert f"Caroline: {before}" in text
    assert f"On 4 March 2024 Caroline: {after}" in text
    assert text.startswith("1 March 2024 to 4 March 2024")


@pytest.mark.parametrize(
    "text",
    ["", "...", "日本語とコウモリが好きです。" * 3, "x" * 32_000, "a. " * 9_000, "\x00 b c d e."],
)
def test_any_text_gives_a_short_summary(text: str) -> None:
    assert 0 < len(summary_of(said(text))) < LENGTH + 700


def test_many_contradictions_do_not_make_it_long() -> None:
    told = said(*(f"The sensor in the garden shows value {n}." for n in range(3000)))
    assert len(summary_of(told)) < LENGTH + 700


def test_nothing_said_gives_nothing() -> None:
    assert summary_of([]) == ""
