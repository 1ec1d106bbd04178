"""Windows that grow judge as those that were made at once."""

from datetime import UTC, datetime

import numpy as np
import pytest

from services.memory.candidates import Row
from services.memory.evidence import Judge, Judged, Weights
from services.memory.frequencies import Frequencies
from services.memory.lexicon import Lexicon
from services.memory.records import Level
from services.memory.turns import Analysis, Turn
from services.memory.windows import Windows

NAMES = frozenset({"caroline", "melanie"})
SAID = (
    "I adopted a grey cat from the shelter.",
    "What is it called?",
    "",
    "Its name is Oscar, and it sleeps all day.",
    "We drove to Norway to see the fjords.",
    "The trains were late again this morning.",
    "!?",
)


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon()


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Turns of five Somas whose turns come in between each other."""
    return [
        Row(
            id=f"{place}",
            level=Level.EPISODE,
            soma=f"somas/{place % 5}",
            ordinal=place // 5,
            speaker=("Caroline", "Melanie")[place % 2],
            text=f"{SAID[place % len(SAID)]} {place // 3}",
            created_at=datetime(2023, 5, 1 + place % 28, tzinfo=UTC),
            importance=0.0,
        )
        for place in range(400)
    ]


@pytest.fixture(scope="module")
def frequencies(rows: list[Row], lexicon: Lexicon) -> Frequencies:
    return Frequencies([row.text for row in rows], lexicon)


@pytest.fixture(scope="module")
def turns(rows: list[Row], frequencies: Frequencies, lexicon: Lexicon) -> list[Turn]:
    return Analysis(lexicon).turns(rows, frequencies, NAMES)


def judged(windows: Windows, frequencies: Frequencies, lexicon: Lexicon, query: str) -> Judged:
    judge = Judge(frequencies, lexicon, Weights())
    return judge.judge(judge.question(query, NAMES), windows, {"somas/3": 1.0})


@pytest.mark.parametrize("step", [1, 7, 150])
@pytest.mark.parametrize(
    "query", ["What did Melanie adopt in May 2023?", "late trains 17", "fjords", "zebra"]
)
def test_grown_in_steps_they_judge_alike(
    turns: list[Turn], frequencies: Frequencies, lexicon: Lexicon, step: int, query: str
) -> None:
    grown = Windows(lexicon)
    for first in range(0, len(turns), step):
        grown.extend(turns[first : first + step])
    expected = judged(Windows(lexicon, turns), frequencies, lexicon, query)
    found = judged(grown, frequencies, lexicon, query)
    for part in ("score", "vector", "text", "prior"):
        assert getattr(found, part) == pytest.approx(getattr(expected, part), abs=1e-5), part


def test_a_turn_hears_of_what_is_said_after_it(
    turns: list[Turn], frequencies: Frequencies, lexicon: Lexicon
) -> None:
    grown = Windows(lexicon, turns[:5])
    before = grown.lengths.copy()
    grown.extend(turns[5:6])  # of the first one's Soma
    assert grown.lengths[0] > before[0]
    assert np.array_equal(grown.lengths[1:5], before[1:5])


def test_without_turns_there_is_nothing_to_judge(lexicon: Lexicon) -> None:
    windows = Windows(lexicon)
    windows.extend([])
    assert windows.turns == []
    assert windows.lengths.size == 0
