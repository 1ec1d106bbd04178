"""Forges in SQLite. A change of state and the event that tells it are one transaction."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import TypeVar

from services.toolforge import metrics
from services.toolforge.bell import Bell
from services.toolforge.evidence import Evidence
from services.toolforge.forge import Attempt, Event, Forge, ProposedTest, State
from services.toolforge.registry import TOOLS_BELL, Companion
from services.toolforge.sqlite_forge_rows import (
    end_forge,
    find_forge,
    insert_attempt,
    insert_event,
    insert_forge,
    is_live,
    read_attempt,
    read_forge,
    write_proposed,
)
from services.toolforge.sqlite_tool_rows import insert_tool
from services.toolforge.tool import Tool
from shared.errors import NotFound
from shared.sqlite import Database

T = TypeVar("T")


class SqliteForges:
    """Implements the port `ForgeStore`; rings the bell of a forge after each event."""

    def __init__(self, database: Database, bell: Bell) -> None:
        self._database = database
        self._bell = bell

    async def create(self, forge: Forge, also: Companion) -> None:
        """Keeps a new forge and runs `also`, in one transaction."""

        def write(connection: sqlite3.Connection) -> None:
            insert_forge(connection, forge)
            insert_event(connection, forge.id, forge.state)
            also(connection)

        await self._database.write(write)

    async def get(self, forge_id: str) -> Forge:
        """A forge with its attempts; raises NotFound."""
        forge = await self._database.read(lambda c: find_forge(c, forge_id))
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
            Event(
                row["sequence"], State(row["state"]), read_attempt(row) if row["number"] else None
            )
            for row in rows
        ]

    async def begin(self, forge_id: str) -> int:
        """→ RUNNING; how often this forge was begun, or 0 where it has ended."""

        def write(connection: sqlite3.Connection) -> int:
            insert_event(connection, forge_id, State.RUNNING)
            connection.execute(
                "UPDATE forges SET state = 'running', begun = begun + 1 WHERE id = ?", (forge_id,)
            )
            row = connection.execute("SELECT begun FROM forges WHERE id = ?", (forge_id,))
            return int(row.fetchone()["begun"])

        return await self._while_live(forge_id, write, 0)

    async def note_model(self, forge_id: str, model: str) -> None:
        """Says which model drafts; nothing where the forge has ended."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE forges SET model = ? WHERE id = ?", (model, forge_id))

        await self._while_live(forge_id, write, None)

    async def note_proposed(self, forge_id: str, tests: Sequence[ProposedTest]) -> None:
        """Keeps what the model proposed; nothing where the forge has ended."""
        await self._while_live(forge_id, lambda c: write_proposed(c, forge_id, tests), None)

    async def add_attempt(self, forge_id: str, attempt: Attempt) -> None:
        """Keeps an attempt that did not pass; nothing where the forge has ended."""

        def write(connection: sqlite3.Connection) -> None:
            insert_attempt(connection, forge_id, attempt)
            insert_event(connection, forge_id, State.RUNNING, attempt.number)

        await self._while_live(forge_id, write, None)

    async def succeed(
        self,
        forge_id: str,
        attempt: Attempt,
        tool: Tool,
        evidence: Sequence[Evidence],
        proposed: Sequence[ProposedTest],
    ) -> bool:
        """Keeps the passing attempt and its tool, in one transaction. False where it has ended."""

        def write(connection: sqlite3.Connection) -> bool:
            insert_tool(connection, tool, evidence)
            write_proposed(connection, forge_id, proposed)
            insert_attempt(connection, forge_id, attempt)
            end_forge(connection, forge_id, State.SUCCEEDED, attempt=attempt.number)
            return True

        succeeded = await self._while_live(forge_id, write, False)
        self._bell.ring(TOOLS_BELL)
        metrics.forges.labels("succeeded").inc(succeeded)
        return succeeded

    async def fail(self, forge_id: str, failure: str, reason: str) -> bool:
        """Ends a forge as FAILED. False where it has ended."""

        def write(connection: sqlite3.Connection) -> bool:
            end_forge(connection, forge_id, State.FAILED, failure=failure, reason=reason)
            return True

        failed = await self._while_live(forge_id, write, False)
        metrics.forges.labels("failed").inc(failed)
        return failed

    async def cancel(self, forge_id: str, also: Companion) -> bool:
        """Ends a forge as CANCELLED and runs `also`. False where it has ended before."""

        def write(connection: sqlite3.Connection) -> bool:
            live = is_live(connection, forge_id)
            if live:
                end_forge(connection, forge_id, State.CANCELLED)
            also(connection)
            return live

        ended = await self._database.write(write)
        self._bell.ring(forge_id)
        metrics.forges.labels("cancelled").inc(ended)
        return ended

    async def _while_live(
        self, forge_id: str, function: Callable[[sqlite3.Connection], T], otherwise: T
    ) -> T:
        """Runs a write only while the forge has not ended, in the same transaction."""
        result = await self._database.write(
            lambda c: function(c) if is_live(c, forge_id) else otherwise
        )
        self._bell.ring(forge_id)
        return result
