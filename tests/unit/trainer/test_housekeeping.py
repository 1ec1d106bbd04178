"""What is removed of earlier runs, over a real SQLite file and real folders."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.trainer.arbiter import PersonaCard
from services.trainer.disk_quota import DiskQuota
from services.trainer.hyperparameters import Hyperparameters
from services.trainer.old_models import OldModels
from services.trainer.sqlite_runs import MIGRATION, SqliteRuns
from services.trainer.training_run import TrainingRun, TrainingState
from shared.errors import ResourceExhausted, Unavailable
from shared.sqlite import Database
from tests.unit.trainer.neighbours import ScriptedArbiter, ScriptedBackend


@pytest.fixture
async def runs(tmp_path: Path) -> AsyncIterator[SqliteRuns]:
    database = Database(tmp_path / "runs.sqlite", [MIGRATION])
    await database.open()
    yield SqliteRuns(database)
    await database.close()


async def ended(
    runs: SqliteRuns, number: int, state: TrainingState, persona: str = "BRICK"
) -> TrainingRun:
    run = TrainingRun(
        id=f"{number:04d}",
        persona=persona,
        base="starter",
        engine="trl",
        hyperparameters=Hyperparameters(),
        dataset=f"datasets/{number}",
        model=f"{persona.lower()}:run-{number}",
    )
    await runs.add(run, lambda connection: None)
    return await runs.save(dataclasses.replace(run, state=state))


class Speaking(ScriptedArbiter):
    """A persona that speaks with one model and spoke with another before."""

    def __init__(self, current: str, previous: str) -> None:
        super().__init__()
        self.tags = current, previous

    async def persona(self, name: str) -> PersonaCard:
        return PersonaCard(name, "", self.tags[0], "starter", 3, True, self.tags[1])


class Collected(ScriptedBackend):
    """Notes what is deleted."""

    def __init__(self, away: bool = False) -> None:
        super().__init__({})
        self.deleted: list[str] = []
        self.away = away

    async def delete(self, tag: str) -> None:
        if self.away:
            raise Unavailable("away")
        self.deleted.append(tag)


async def test_old_models_go_and_those_in_a_pointers_history_stay(
    runs: SqliteRuns, tmp_path: Path
) -> None:
    for number in range(1, 8):
        state = TrainingState.REJECTED if number == 6 else TrainingState.SUCCEEDED
        await ended(runs, number, state)
    await ended(runs, 8, TrainingState.SUCCEEDED, persona="ROBIN")
    backend = Collected()
    # Rolled back twice: it speaks with an old one, and would go back to an older one still.
    arbiter = Speaking("brick:run-3", "brick:run-1")
    for number in range(1, 6):
        filled(tmp_path / str(number), 10)
    await OldModels(arbiter, backend, runs, 2, tmp_path).collect("BRICK")
    assert backend.deleted == ["brick:run-4", "brick:run-2"]
    assert sorted(path.name for path in tmp_path.glob("[0-9]")) == ["1", "3", "5"]


async def test_a_backend_that_is_away_ends_no_run(runs: SqliteRuns, tmp_path: Path) -> None:
    for number in range(1, 4):
        await ended(runs, number, TrainingState.SUCCEEDED)
    await OldModels(Speaking("x", ""), Collected(away=True), runs, 1, tmp_path).collect("BRICK")


def filled(folder: Path, size: int) -> Path:
    folder.mkdir(parents=True)
    (folder / "file").write_bytes(b"x" * size)
    return folder


async def test_room_is_made_by_what_nobody_needs_oldest_first(
    runs: SqliteRuns, tmp_path: Path
) -> None:
    for number in (1, 2, 3):
        await ended(runs, number, TrainingState.FAILED)
    waiting = TrainingRun("0004", "BRICK", "starter", "trl", Hyperparameters(), "datasets/2")
    await runs.add(waiting, lambda connection: None)
    folders = [filled(tmp_path / "runs" / f"{n:04d}", 100) for n in (1, 2, 3)]
    datasets = [filled(tmp_path / "datasets" / str(n), 100) for n in (1, 2, 3)]

    await DiskQuota(tmp_path, 600, runs).make_room("")
    assert all(path.is_dir() for path in (*folders, *datasets))
    await DiskQuota(tmp_path, 450, runs).make_room("")
    assert [path.is_dir() for path in folders] == [False, False, True]
    await DiskQuota(tmp_path, 250, runs).make_room("datasets/3")
    assert [path.is_dir() for path in folders] == [False, False, False]
    assert [path.is_dir() for path in datasets] == [False, True, True]
    with pytest.raises(ResourceExhausted, match="DISK_QUOTA_BYTES") as refused:
        await DiskQuota(tmp_path, 150, runs).make_room("datasets/3")
    assert refused.value.reason == "DISK_QUOTA"
    assert [path.is_dir() for path in datasets] == [False, True, True]
