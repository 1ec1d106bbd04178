"""Training runs and their events in SQLite."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from services.trainer import metrics
from services.trainer.arbiter import PairedScores
from services.trainer.hyperparameters import Hyperparameters
from services.trainer.progress import Progress
from services.trainer.training_run import Figures, TrainingEvent, TrainingRun, TrainingState
from shared.errors import Aborted, NotFound
from shared.sqlite import Database

MIGRATION = """
CREATE TABLE training_runs (
    id TEXT PRIMARY KEY,
    ended INTEGER NOT NULL,
    cancelling INTEGER NOT NULL DEFAULT 0,
    document TEXT NOT NULL,
    scores TEXT
) STRICT;
CREATE INDEX training_runs_open ON training_runs (ended, id);
CREATE TABLE training_events (
    run_id TEXT NOT NULL REFERENCES training_runs (id),
    sequence INTEGER NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (run_id, sequence)
) STRICT;
"""
_WATCH_BATCH = 200
_WATCH_POLL_SECONDS = 5.0

Also = Callable[[sqlite3.Connection], None]


class SqliteRuns:
    """The durable record. Ids sort by age."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changed = asyncio.Condition()
        self._writes = 0

    async def add(self, run: TrainingRun, also: Also) -> None:
        """Keeps a new run and does `also` in the same transaction."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO training_runs (id, ended, document) VALUES (?, 0, ?)",
                (run.id, _run_json(run)),
            )
            _append(connection, run, "accepted")
            also(connection)

        await self._write(write)

    async def save(
        self, run: TrainingRun, message: str = "", scores: PairedScores | None = None
    ) -> TrainingRun:
        """Keeps a run as it now stands, and the event that says so; Aborted once it has ended."""

        def write(connection: sqlite3.Connection) -> None:
            kept = connection.execute(
                "UPDATE training_runs SET document = ?, ended = ?, scores = coalesce(?, scores) "
                "WHERE id = ? AND ended = 0",
                (
                    _run_json(run),
                    run.state.ended,
                    json.dumps(dataclasses.asdict(scores)) if scores else None,
                    run.id,
                ),
            )
            if not kept.rowcount:
                raise Aborted(f"{run.name} has ended already", reason="RUN_ENDED")
            _append(connection, run, message)

        await self._write(write)
        metrics.saved(run)
        return run

    async def ask_to_cancel(self, run_id: str, also: Also) -> None:
        """Notes that a run shall end, so that a restart does not take it up again."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE training_runs SET cancelling = 1 WHERE id = ?", (run_id,))
            also(connection)

        await self._write(write)

    async def cancelling(self, run_id: str) -> bool:
        """True where ask_to_cancel was called."""
        return bool((await self._row(run_id))["cancelling"])

    async def get(self, run_id: str) -> TrainingRun:
        """A run; NotFound where there is none."""
        return _run((await self._row(run_id))["document"])

    async def scores(self, run_id: str) -> PairedScores:
        """The scores of a run that has been evaluated."""
        return PairedScores(**json.loads((await self._row(run_id))["scores"]))

    async def page(self, size: int, before: str) -> list[TrainingRun]:
        """Up to `size` runs older than the id `before` ("" for the newest), newest first."""
        rows = await self._database.read(
            lambda c: c.execute(
                "SELECT document FROM training_runs WHERE ? = '' OR id < ? "
                "ORDER BY id DESC LIMIT ?",
                (before, before, size),
            ).fetchall()
        )
        return [_run(row["document"]) for row in rows]

    async def models_of(self, persona: str) -> list[str]:
        """Tags that a persona's successful runs made, newest first."""
        rows = await self._database.read(
            lambda c: c.execute(
                "SELECT document FROM training_runs WHERE ended AND"
                " document ->> 'persona' = ? AND document ->> 'state' = 'SUCCEEDED'"
                " ORDER BY id DESC",
                (persona,),
            ).fetchall()
        )
        return [_run(row["document"]).model for row in rows]

    async def all(self, *, ended: bool) -> list[TrainingRun]:
        """All runs that have ended, or all that have not, oldest first."""
        rows = await self._database.read(
            lambda c: c.execute(
                "SELECT document FROM training_runs WHERE ended = ? ORDER BY id", (ended,)
            ).fetchall()
        )
        return [_run(row["document"]) for row in rows]

    async def oldest_open(self) -> TrainingRun | None:
        """The run that has waited longest and has not ended; first of all those that shall end."""
        row = await self._database.read(
            lambda c: c.execute(
                "SELECT document FROM training_runs WHERE ended = 0 "
                "ORDER BY cancelling DESC, id LIMIT 1"
            ).fetchone()
        )
        return _run(row["document"]) if row else None

    async def watch(self, run_id: str, after: int) -> AsyncIterator[TrainingEvent]:
        """Every event after a sequence, as it happens, until the run's end."""
        while True:
            written = self._writes
            ended = (await self.get(run_id)).state.ended
            events = await self._events(run_id, after)
            for event in events:
                yield event
                after = event.sequence
            if not events:
                if ended:
                    return
                await self._wait(written)

    async def _events(self, run_id: str, after: int) -> Sequence[TrainingEvent]:
        rows = await self._database.read(
            lambda c: c.execute(
                "SELECT sequence, document FROM training_events "
                "WHERE run_id = ? AND sequence > ? ORDER BY sequence LIMIT ?",
                (run_id, after, _WATCH_BATCH),
            ).fetchall()
        )
        return [_event(row["sequence"], row["document"]) for row in rows]

    async def _wait(self, written: int) -> None:
        """Until more was written than `written` (taken before the reading), within a bound."""
        more = self._changed.wait_for(lambda: self._writes != written)
        async with self._changed:
            try:
                await asyncio.wait_for(more, _WATCH_POLL_SECONDS)
            except TimeoutError:
                return

    async def _write(self, function: Callable[[sqlite3.Connection], None]) -> None:
        await self._database.write(function)
        async with self._changed:
            self._writes += 1
            self._changed.notify_all()

    async def _row(self, run_id: str) -> sqlite3.Row:
        row: sqlite3.Row | None = await self._database.read(
            lambda c: c.execute("SELECT * FROM training_runs WHERE id = ?", (run_id,)).fetchone()
        )
        if row is None:
            raise NotFound(f"there is no trainingRuns/{run_id}")
        return row


def _append(connection: sqlite3.Connection, run: TrainingRun, message: str) -> None:
    progress = dataclasses.asdict(run.progress) if run.progress else None
    connection.execute(
        "INSERT INTO training_events SELECT ?, coalesce(max(sequence), 0) + 1, ? "
        "FROM training_events WHERE run_id = ?",
        (
            run.id,
            json.dumps({"state": run.state.value, "progress": progress, "message": message}),
            run.id,
        ),
    )


def _run_json(run: TrainingRun) -> str:
    return json.dumps({**dataclasses.asdict(run), "state": run.state.value})


def _run(document: str) -> TrainingRun:
    fields: dict[str, Any] = json.loads(document)
    fields["state"] = TrainingState(fields["state"])
    fields["hyperparameters"] = Hyperparameters(**fields["hyperparameters"])
    fields["progress"] = Progress(**fields["progress"]) if fields["progress"] else None
    fields["figures"] = Figures(**fields["figures"]) if fields["figures"] else None
    return TrainingRun(**fields)


def _event(sequence: int, document: str) -> TrainingEvent:
    fields = json.loads(document)
    progress = Progress(**fields["progress"]) if fields["progress"] else None
    return TrainingEvent(sequence, TrainingState(fields["state"]), progress, fields["message"])
