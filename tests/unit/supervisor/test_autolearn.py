"""When a persona learns by itself: a real journal, with a clock and a Trainer of the test's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.supervisor.autolearn import (
    Autolearn,
    Policy,
    Surroundings,
    reason_against,
)
from services.supervisor.gpu_lease import ServingState
from services.supervisor.grading import Grade
from services.supervisor.sqlite_events import SqliteEvents
from services.supervisor.sqlite_lessons import SqliteLessons
from services.supervisor.sqlite_somas import SqliteSomas
from shared.errors import Unavailable
from tests.unit.supervisor.samples import START, question, soma, turn

POLICY = Policy(examples=2, runs_per_day=2, idle=timedelta(minutes=15), busy=1e9)
NOW = datetime.now(UTC)
LATER = timedelta(hours=1)


def around(**more: object) -> Surroundings:
    fields = {
        "now": NOW,
        "last_turn": NOW - LATER,
        "runs_today": 0,
        "serving": ServingState.SERVING,
        "load": 0.1,
        **more,
    }
    return Surroundings(**fields)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, ""),
        ({"last_turn": None}, ""),
        ({"runs_today": 2}, "used up"),
        ({"last_turn": NOW - timedelta(minutes=14)}, "talking"),
        ({"last_turn": NOW + LATER}, "talking"),
        ({"serving": ServingState.TRAINING}, "the GPU"),
        ({"load": 2e9}, "busy"),
    ],
)
def test_what_speaks_against_a_run(fields, why):
    found = reason_against(POLICY, around(**fields))
    assert why in found if why else not found


class Trainer:
    """Notes what is begun; away where it is told so."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, str]] = []
        self.away = False

    async def start(self, request_id: str, persona: str) -> str:
        if self.away:
            raise Unavailable("away")
        self.begun.append((request_id, persona))
        return f"trainingRuns/{len(self.begun)}"


class Serving:
    state = ServingState.SERVING


@pytest.fixture
def trainer() -> Trainer:
    return Trainer()


@pytest.fixture
def autolearn(journal, trainer) -> Autolearn:
    return Autolearn(POLICY, SqliteLessons(journal), trainer, Serving())


async def golden(journal, count: int, persona: str = "ROBIN", name: str = "s1") -> None:
    """Turns that were rated good, a long time ago."""
    somas = SqliteSomas(journal)
    for _ in range(count):
        kept = await somas.keep(question(), soma(name, persona), turn(created_at=START))
        grade = Grade.rated(name, kept.turn.number, 1)
        await somas.grade(grade, lambda connection, graded: None)


async def messages(journal) -> list[str]:
    events = await SqliteEvents(journal).page(0)
    return [e.happening.message for e in events if "golden" in e.happening.message]


async def test_a_run_begins_once_there_is_enough_and_not_again(journal, trainer, autolearn):
    await golden(journal, 1)
    await autolearn.look(NOW)
    assert trainer.begun == []
    await golden(journal, 1)
    await autolearn.look(NOW)
    await autolearn.look(NOW)
    assert [persona for _, persona in trainer.begun] == ["ROBIN"]
    assert await messages(journal) == ["trainingRuns/1 was begun: ROBIN has 2 new golden examples."]
    await golden(journal, 2)
    await autolearn.look(NOW)
    assert len(trainer.begun) == 2


async def test_the_days_budget_holds_and_is_told_once(journal, trainer, autolearn):
    for number, persona in enumerate(("ALFRED", "BABS", "ROBIN")):
        await golden(journal, 2, persona, f"s{number}")
    for _ in range(5):
        await autolearn.look(datetime.now(UTC))
    assert [persona for _, persona in trainer.begun] == ["ALFRED", "BABS"]
    told = await messages(journal)
    assert told[2:] == ["ROBIN has 2 new golden examples, but the day's 2 runs are used up."]
    await autolearn.look(datetime.now(UTC) + timedelta(days=2))
    assert [persona for _, persona in trainer.begun][2:] == ["ROBIN"]


async def test_a_trainer_that_is_away_is_asked_again_with_the_same_request(
    journal, trainer, autolearn
):
    await golden(journal, 2)
    trainer.away = True
    for _ in range(3):
        await autolearn.look(NOW)
    assert len(await messages(journal)) == 1
    trainer.away = False
    await autolearn.look(NOW)
    assert len(trainer.begun) == 1


async def test_after_a_crash_the_same_request_is_sent(journal, trainer, autolearn):
    await golden(journal, 2)

    async def lost(lesson: object, message: str) -> None:
        raise Unavailable("a crash")

    kept, autolearn._records.begun = autolearn._records.begun, lost
    with pytest.raises(Unavailable):
        await autolearn.look(NOW)
    autolearn._records.begun = kept
    await autolearn.look(NOW)
    (first, _), (second, _) = trainer.begun
    assert first == second
