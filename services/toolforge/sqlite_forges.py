"""Forges in SQLite. A change of state and the event that tells it are one transaction."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from services.toolforge.bell import Bell
from services.toolforge.forge import Attempt, Event, Forge, Kind, State, Verdict
from services.toolforge.registry import TOOLS_BELL, Companion
from services.toolforge.sqlite_registry import examples_to_json, insert_tool, spec_from_row
from services.toolforge.tool import Tool
from shared.errors import NotFound
from shared.sqlite import Database

MIGRATION = """
CREATE TABLE forges (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    examples_json TEXT NOT NULL,
    persona TEXT NOT NULL,
    attempt_limit INTEGER NOT NULL,
    state TEXT NOT NULL,
    created_at REAL NOT NULL,
    ended_at REAL,
    begun INTEGER NOT NULL DEFAULT 0,
    model TEXT NOT NULL DEFAULT '',
    failure TEXT NOT NULL DEFAULT '',
    failure_reason TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX forges_ended_at ON forges (ended_at);
CREATE TABLE attempts (
    forge TEXT NOT NULL REFERENCES forges (id),
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    verdict TEXT NOT NULL,
    source TEXT NOT NULL,
    finding TEXT NOT NULL,
    passed_count INTEGER NOT NULL,
    model_seconds REAL NOT NULL,
    trial_seconds REAL NOT NULL,
    PRIMARY KEY (forge, number)
) STRICT;
CREATE TABLE forge_events (
    forge TEXT NOT NULL REFERENCES forges (id),
    sequence INTEGER NOT NULL,
    state TEXT NOT NULL,
    attempt INTEGER,
    PRIMARY KEY (forge, sequence)
) STRICT;
"""

T = TypeVar("T")


class SqliteForges:
    """Implements the port `ForgeStore`; rings the bell of a forge after each event."""

    def __init__(self, database: Database, bell: Bell) -> None:
        self._database = database
        self._bell = bell

    async def create(self, forge: Forge, also: Companion) -> None:
        """Keeps a new forge and runs `also`, in one transaction."""

        def write(connection: sqlite3.Connection) -> None:
            _insert_forge(connection, forge)
            _insert_event(connection, forge.id, forge.state)
            also(connection)

        await self._database.write(write)

    async def get(self, forge_id: str) -> Forge:
        """A forge with its attempts; raises NotFound."""
        forge = await self._database.read(lambda c: _find(c, forge_id))
        if forge is None:
            raise NotFound(f"there is no forge {forge_id!r}", reason="FORGE_NOT_FOUND")
        return forge

    async def page(self, before: str, limit: int) -> Sequence[Forge]:
        """Forges older than the id `before` ("" for all), newest first."""

        def read(connection: sqlite3.Connection) -> list[Forge]:
            rows = connection.execute(
                "SELECT * FROM forges WHERE ? = '' OR id < ? ORDER BY id DESC LIMIT ?",
                (before, before, limit),
            ).fetchall()
            return [read_forge(connection, row) for row in rows]

        return await self._database.read(read)

    async def unfinished(self) -> Sequence[str]:
        """Ids of forges that have not ended, oldest first."""
        rows = await self._database.read(
            lambda c: c.execute(
                "SELECT id FROM forges WHERE ended_at IS NULL ORDER BY id"
            ).fetchall()
        )
        return [row["id"] for row in rows]

    async def events(self, forge_id: str, after: int) -> Sequence[Event]:
        """Events with a sequence above `after`, in order."""
        rows = await self._database.read(
            lambda c: c.execute(
                "SELECT sequence, state, attempts.* FROM forge_events LEFT JOIN attempts "
                "ON attempts.forge = forge_events.forge AND number = attempt "
                "WHERE forge_events.forge = ? AND sequence > ? ORDER BY sequence",
                (forge_id, after),
            ).fetchall()
        )
        return [
            Event(row["sequence"], State(row["state"]), _attempt(row) if row["number"] else None)
            for row in rows
        ]

    async def begin(self, forge_id: str) -> int:
        """→ RUNNING; how often this forge was begun, or 0 where it has ended."""

        def write(connection: sqlite3.Connection) -> int:
            _insert_event(connection, forge_id, State.RUNNING)
            connection.execute(
                "UPDATE forges SET state = 'running', begun = begun + 1 WHERE id = ?", (forge_id,)
            )
            row = connection.execute("SELECT begun FROM forges WHERE id = ?", (forge_id,))
            return int(row.fetchone()["begun"])

        return await self._while_live(forge_id, write, 0)

    async def note_model(self, forge_id: str, model: str) -> None:
        """Says which model drafts."""
        await self._database.write(
            lambda c: c.execute("UPDATE forges SET model = ? WHERE id = ?", (model, forge_id))
        )

    async def add_attempt(self, forge_id: str, attempt: Attempt) -> None:
        """Keeps an attempt that did not pass; nothing where the forge has ended."""

        def write(connection: sqlite3.Connection) -> None:
            _insert_attempt(connection, forge_id, attempt)
            _insert_event(connection, forge_id, State.RUNNING, attempt.number)

        await self._while_live(forge_id, write, None)

    async def succeed(self, forge_id: str, attempt: Attempt, tool: Tool) -> bool:
        """Keeps the passing attempt and its tool, in one transaction. False where it has ended."""

        def write(connection: sqlite3.Connection) -> bool:
            insert_tool(connection, tool)
            _insert_attempt(connection, forge_id, attempt)
            _end(connection, forge_id, State.SUCCEEDED, attempt=attempt.number)
            return True

        succeeded = await self._while_live(forge_id, write, False)
        self._bell.ring(TOOLS_BELL)
        return succeeded

    async def fail(self, forge_id: str, failure: str, reason: str) -> bool:
        """Ends a forge as FAILED. False where it has ended."""

        def write(connection: sqlite3.Connection) -> bool:
            _end(connection, forge_id, State.FAILED, failure=failure, reason=reason)
            return True

        return await self._while_live(forge_id, write, False)

    async def cancel(self, forge_id: str, also: Companion) -> bool:
        """Ends a forge as CANCELLED and runs `also`. False where it has ended before."""

        def write(connection: sqlite3.Connection) -> bool:
            live = _is_live(connection, forge_id)
            if live:
                _end(connection, forge_id, State.CANCELLED)
            also(connection)
            return live

        ended = await self._database.write(write)
        self._bell.ring(forge_id)
        return ended

    async def _while_live(
        self, forge_id: str, function: Callable[[sqlite3.Connection], T], otherwise: T
    ) -> T:
        """Runs a write only while the forge has not ended, in the same transaction."""
        result = await self._database.write(
            lambda c: function(c) if _is_live(c, forge_id) else otherwise
        )
        self._bell.ring(forge_id)
        return result


def read_forge(connection: sqlite3.Connection, row: sqlite3.Row) -> Forge:
    """A forge from its row, with its attempts."""
    attempts = connection.execute(
        "SELECT * FROM attempts WHERE forge = ? ORDER BY number", (row["id"],)
    ).fetchall()
    state = State(row["state"])
    return Forge(
        id=row["id"],
        spec=spec_from_row(row),
        persona=row["persona"],
        attempt_limit=row["attempt_limit"],
        state=state,
        created_at=row["created_at"],
        attempts=tuple(_attempt(attempt) for attempt in attempts),
        tool=row["name"] if state is State.SUCCEEDED else "",
        failure=row["failure"],
        failure_reason=row["failure_reason"],
        model=row["model"],
    )


def _find(connection: sqlite3.Connection, forge_id: str) -> Forge | None:
    row = connection.execute("SELECT * FROM forges WHERE id = ?", (forge_id,)).fetchone()
    return read_forge(connection, row) if row else None


def _is_live(connection: sqlite3.Connection, forge_id: str) -> bool:
    row = connection.execute(
        "SELECT 1 FROM forges WHERE id = ? AND ended_at IS NULL", (forge_id,)
    ).fetchone()
    return row is not None


def _end(
    connection: sqlite3.Connection,
    forge_id: str,
    state: State,
    *,
    failure: str = "",
    reason: str = "",
    attempt: int | None = None,
) -> None:
    connection.execute(
        "UPDATE forges SET state = ?, failure = ?, failure_reason = ?, ended_at = ? WHERE id = ?",
        (state, failure, reason, time.time(), forge_id),
    )
    _insert_event(connection, forge_id, state, attempt)


def _insert_forge(connection: sqlite3.Connection, forge: Forge) -> None:
    connection.execute(
        "INSERT INTO forges (id, name, description, examples_json, persona, attempt_limit, state,"
        " created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            forge.id,
            forge.spec.name,
            forge.spec.description,
            examples_to_json(forge.spec),
            forge.persona,
            forge.attempt_limit,
            forge.state,
            forge.created_at,
        ),
    )


def _insert_event(
    connection: sqlite3.Connection, forge_id: str, state: State, attempt: int | None = None
) -> None:
    connection.execute(
        "INSERT INTO forge_events SELECT ?, coalesce(max(sequence), 0) + 1, ?, ? "
        "FROM forge_events WHERE forge = ?",
        (forge_id, state, attempt, forge_id),
    )


def _insert_attempt(connection: sqlite3.Connection, forge_id: str, attempt: Attempt) -> None:
    connection.execute(
        "INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            forge_id,
            attempt.number,
            attempt.kind,
            attempt.verdict,
            attempt.source,
            attempt.finding,
            attempt.passed_count,
            attempt.model_seconds,
            attempt.trial_seconds,
        ),
    )


def _attempt(row: sqlite3.Row) -> Attempt:
    return Attempt(
        number=row["number"],
        kind=Kind(row["kind"]),
        verdict=Verdict(row["verdict"]),
        source=row["source"],
        finding=row["finding"],
        passed_count=row["passed_count"],
        model_seconds=row["model_seconds"],
        trial_seconds=row["trial_seconds"],
    )
