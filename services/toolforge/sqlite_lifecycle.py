"""What happens to tools, in SQLite. A change and the event that tells it are one transaction."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from services.toolforge.bell import Bell
from services.toolforge.evidence import Evidence
from services.toolforge.lifecycle import ToolEvent, ToolEventKind, Witness
from services.toolforge.registry import TOOLS_BELL, Companion
from services.toolforge.sqlite_tool_rows import (
    end_quarantine,
    find_tool,
    insert_evidence,
    insert_tool_event,
    storable,
)
from services.toolforge.tool import Tool, ToolState
from shared.errors import Aborted, FailedPrecondition
from shared.sqlite import Database

T = TypeVar("T")

_COUNT_USE = """
INSERT INTO usage VALUES (:name, :version, 1, :failed, :failed, :failure, :time)
ON CONFLICT (name, version) DO UPDATE SET
    invocation_count = invocation_count + 1,
    failure_count = failure_count + :failed,
    failures_in_a_row = CASE WHEN :failed THEN failures_in_a_row + 1 ELSE 0 END,
    last_failure = CASE WHEN :failed THEN :failure ELSE last_failure END,
    last_time = :time
RETURNING failures_in_a_row
"""


class SqliteLifecycle:
    """Implements the port `Lifecycle`; rings the bell of tools after each change."""

    def __init__(self, database: Database, bell: Bell) -> None:
        self._database = database
        self._bell = bell

    async def roll_back(self, name: str, version: str, also: Witness) -> Tool:
        """Makes an earlier version current; "" means the one registered before the current one."""

        def write(connection: sqlite3.Connection) -> Tool:
            registration = _earlier(connection, find_tool(connection, name), version)
            connection.execute(
                "UPDATE tools SET registration = ?, revision = revision + 1 WHERE name = ?",
                (registration, name),
            )
            tool = find_tool(connection, name)
            insert_tool_event(connection, tool, ToolEventKind.ROLLED_BACK)
            also(connection, tool)
            return tool

        return await self._change(write)

    async def retire(self, name: str, reason: str, also: Witness) -> Tool:
        """Takes a tool out of use; one that is retired stays as it is."""

        def write(connection: sqlite3.Connection) -> Tool:
            tool = find_tool(connection, name)
            if tool.state is not ToolState.RETIRED:
                connection.execute(
                    "UPDATE tools SET retired_reason = ?, revision = revision + 1 WHERE name = ?",
                    (storable(reason), name),
                )
                insert_tool_event(connection, tool, ToolEventKind.RETIRED, reason)
            after = find_tool(connection, name)
            also(connection, after)
            return after

        return await self._change(write)

    async def reinstate(self, tool: Tool, evidence: Evidence, also: Witness) -> Tool:
        """Makes a tool active again, on evidence; one that is active stays so."""

        def write(connection: sqlite3.Connection) -> Tool:
            current = find_tool(connection, tool.name)
            if current.version != tool.version:
                raise Aborted(
                    f"{tool.name!r} got another version meanwhile; look at it and ask again",
                    reason="TOOL_CHANGED",
                )
            insert_evidence(connection, tool, evidence)
            end_quarantine(connection, tool)
            connection.execute(
                "UPDATE tools SET retired_reason = NULL, revision = revision + 1 WHERE name = ?",
                (tool.name,),
            )
            if current.state is not ToolState.ACTIVE:
                insert_tool_event(connection, tool, ToolEventKind.REINSTATED)
            after = find_tool(connection, tool.name)
            also(connection, after)
            return after

        return await self._change(write)

    async def note_use(self, tool: Tool, failure: str, patience: int, also: Companion) -> None:
        """Counts an invocation; `patience` failures in a row (0: any number) quarantine."""

        def write(connection: sqlite3.Connection) -> bool:
            in_a_row = _count_use(connection, tool, failure)
            quarantined = bool(patience) and in_a_row >= patience
            if quarantined:
                _quarantine(connection, tool, f"failed {in_a_row} times in a row, last: {failure}")
            also(connection)
            return quarantined

        if await self._database.write(write):
            self._bell.ring(TOOLS_BELL)

    async def events(self, after: int, limit: int) -> Sequence[ToolEvent]:
        """Events with a sequence above `after`, in order."""
        rows = await self._database.read(
            lambda c: c.execute(
                "SELECT * FROM tool_events WHERE sequence > ? ORDER BY sequence LIMIT ?",
                (after, limit),
            ).fetchall()
        )
        return [
            ToolEvent(
                sequence=row["sequence"],
                kind=ToolEventKind(row["kind"]),
                tool=row["tool"],
                version=row["version"],
                reason=row["reason"],
                time=row["time"],
            )
            for row in rows
        ]

    async def _change(self, function: Callable[[sqlite3.Connection], T]) -> T:
        result = await self._database.write(function)
        self._bell.ring(TOOLS_BELL)
        return result


def _earlier(connection: sqlite3.Connection, current: Tool, version: str) -> int:
    """The number of the registration to go back to."""
    if version:
        find_tool(connection, current.name, version)
    row = connection.execute(
        "SELECT max(id) AS id FROM registered_tools WHERE name = :name AND version != :current"
        " AND CASE WHEN :wanted = '' THEN id < (SELECT registration FROM tools WHERE name = :name)"
        " ELSE version = :wanted END",
        {"name": current.name, "current": current.version, "wanted": version},
    ).fetchone()
    if row["id"] is None:
        raise FailedPrecondition(
            f"tool {current.name!r} has no other version to go back to",
            reason="NO_EARLIER_VERSION",
        )
    return int(row["id"])


def _count_use(connection: sqlite3.Connection, tool: Tool, failure: str) -> int:
    values = {
        "name": tool.name,
        "version": tool.version,
        "failed": int(bool(failure)),
        "failure": storable(failure),
        "time": time.time(),
    }
    return int(connection.execute(_COUNT_USE, values).fetchone()["failures_in_a_row"])


def _quarantine(connection: sqlite3.Connection, tool: Tool, reason: str) -> None:
    """Nothing where the version is in quarantine already."""
    row = connection.execute(
        "INSERT OR IGNORE INTO quarantines VALUES (?, ?, ?) RETURNING 1",
        (tool.name, tool.version, storable(reason)),
    ).fetchone()
    if row:
        connection.execute("UPDATE tools SET revision = revision + 1 WHERE name = ?", (tool.name,))
        insert_tool_event(connection, tool, ToolEventKind.QUARANTINED, reason)
