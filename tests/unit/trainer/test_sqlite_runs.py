from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.trainer.arbiter import PairedScores
from services.trainer.hyperparameters import Hyperparameters
from services.trainer.progress import Progress
from services.trainer.sqlite_runs import MIGRATION, SqliteRuns
from services.trainer.training_run import TrainingRun, TrainingState
from shared.errors import Aborted, FailedPrecondition, NotFound
from shared.sqlite import Database


def run(number: int) -> TrainingRun:
    return TrainingRun(f"{number:04d}", "BRICK", "starter", "trl", Hyperparameters())


@pytest.fixture
async def runs(tmp_path: Path) -> AsyncIterator[SqliteRuns]:
    database = Database(tmp_path / "runs.sqlite", [MIGRATION])
    await database.open()
    yield SqliteRuns(database)
    await database.close()


async def test_a_run_is_kept_with_all_that_is_known(runs: SqliteRuns, tmp_path: Path) -> None:
    await runs.add(run(1), lambda c: None)
    moved = dataclasses.replace(
        run(1).moved_to(TrainingState.PREPARING), progress=Progress(1, 2, 0.5, 0.1, 9.0, 3.0)
    )
    scores = PairedScores([0.0], [1.0], [], [], True)
    await runs.save(moved, "on", scores)
    again = Database(tmp_path / "runs.sqlite", [MIGRATION])
    await again.open()
    assert dataclasses.replace(await SqliteRuns(again).get("0001"), created_at=0) == (
        dataclasses.replace(moved, created_at=0)
    )
    assert await SqliteRuns(again).scores("0001") == scores
    await again.close()


async def test_the_ledger_and_the_run_are_kept_together_or_not_at_all(runs: SqliteRuns) -> None:
    def breaks(connection: object) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        await runs.add(run(1), breaks)
    with pytest.raises(NotFound):
        await runs.get("0001")


async def test_watching_resumes_and_misses_nothing(runs: SqliteRuns) -> None:
    await runs.add(run(1), lambda c: None)
    seen: list[int] = []

    async def watch(after: int) -> None:
        seen.extend([event.sequence async for event in runs.watch("0001", after)])

    watching = asyncio.create_task(watch(1))
    current = run(1).moved_to(TrainingState.PREPARING)
    for number in range(250):
        await runs.save(current, f"event {number}")
    await runs.save(current.ended_as(TrainingState.FAILED, "X", "over"), "over")
    await asyncio.wait_for(watching, 5)
    assert seen == list(range(2, 253))


async def test_an_ended_run_stays_as_it_is(runs: SqliteRuns) -> None:
    await runs.add(run(1), lambda c: None)
    await runs.save(run(1).ended_as(TrainingState.CANCELLED, "CANCELLED", "stopped"))
    with pytest.raises(Aborted):
        await runs.save(run(1).moved_to(TrainingState.PREPARING))
    assert (await runs.get("0001")).state is TrainingState.CANCELLED


async def test_open_runs_come_oldest_first_and_pages_newest_first(runs: SqliteRuns) -> None:
    for number in range(1, 6):
        await runs.add(run(number), lambda c: None)
    await runs.save(run(1).ended_as(TrainingState.FAILED, "X", "over"))
    oldest = await runs.oldest_open()
    assert oldest is not None
    assert oldest.id == "0002"
    assert [r.id for r in await runs.page(2, "")] == ["0005", "0004"]
    assert [r.id for r in await runs.page(9, "0004")] == ["0003", "0002", "0001"]


async def test_a_wish_to_cancel_outlives_a_restart(runs: SqliteRuns) -> None:
    await runs.add(run(1), lambda c: None)
    assert not await runs.cancelling("0001")
    await runs.ask_to_cancel("0001", lambda c: None)
    await runs.save(run(1).moved_to(TrainingState.PREPARING))
    assert await runs.cancelling("0001")


async def test_runs_that_shall_end_need_not_wait_for_their_turn(runs: SqliteRuns) -> None:
    for number in range(1, 4):
        await runs.add(run(number), lambda c: None)
    await runs.ask_to_cancel("0003", lambda c: None)
    first = await runs.oldest_open()
    assert first is not None
    assert first.id == "0003"


def test_states_have_one_way() -> None:
    with pytest.raises(FailedPrecondition):
        run(1).moved_to(TrainingState.SWAPPING)
    ended = run(1).ended_as(TrainingState.FAILED, "X", "over")
    for state in TrainingState:
        with pytest.raises(FailedPrecondition):
            ended.moved_to(state)
