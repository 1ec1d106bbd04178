"""Tools in SQLite: source by version, one row per registering, one pointer per tool."""

import json
import sqlite3
from collections.abc import Sequence

from services.toolforge.bell import Bell
from services.toolforge.evidence import Evidence, Usage
from services.toolforge.registry import TOOLS_BELL, Companion
from services.toolforge.spec import Spec
from services.toolforge.sqlite_tool_rows import find_tool, insert_tool, read_evidence, read_tool
from services.toolforge.tool import Tool, ToolState
from shared.errors import FailedPrecondition, NotFound
from shared.sqlite import Database

_SHOWN_EVIDENCE = 32

_MATCHING = """
SELECT *, (
    SELECT count(*) FROM json_each(:words) AS word
    WHERE instr(lower(name || ' ' || description), word.value)
) AS held FROM current_tools WHERE held AND state = 'active' ORDER BY held DESC, name LIMIT :limit
"""


class SqliteRegistry:
    """Implements the port `Registry`; rings the bell of tools after each registering."""

    def __init__(self, database: Database, bell: Bell) -> None:
        self._database = database
        self._bell = bell

    async def register(self, tool: Tool, evidence: Sequence[Evidence], also: Companion) -> None:
        """Keeps a tool, makes it current, and runs `also`, in one transaction."""

        def write(connection: sqlite3.Connection) -> None:
            insert_tool(connection, tool, evidence)
            also(connection)

        await self._database.write(write)
        self._bell.ring(TOOLS_BELL)

    async def get(self, name: str, version: str = "") -> Tool:
        """A version of a tool, the current one for ""; raises NotFound."""
        return await self._database.read(lambda c: find_tool(c, name, version))

    async def active(self, name: str) -> Tool:
        """The current version; raises NotFound, or FailedPrecondition with the tool's state."""
        tool = await self.get(name)
        if tool.state is ToolState.ACTIVE:
            return tool
        raise FailedPrecondition(
            f"tool {name!r} is {tool.state}: {tool.state_reason or 'no reason was given'}",
            reason=f"TOOL_{tool.state.name}",
        )

    async def of_spec(self, spec: Spec) -> Tool | None:
        """The active tool whose spec is this very one, if there is one."""
        try:
            tool = await self.get(spec.name)
        except NotFound:
            return None
        return tool if tool.state is ToolState.ACTIVE and tool.spec.same_as(spec) else None

    async def page(self, after: str, limit: int, include_retired: bool = False) -> Sequence[Tool]:
        """Tools whose names sort after `after`, by name."""
        sql = (
            "SELECT * FROM current_tools WHERE name > ? AND (? OR state != 'retired')"
            " ORDER BY name LIMIT ?"
        )
        return [read_tool(row) for row in await self._rows(sql, after, include_retired, limit)]

    async def versions(self, name: str, before: int, limit: int) -> Sequence[tuple[int, Tool]]:
        """Registrations with numbers below `before` (0 for all), newest first; raises NotFound."""
        await self.get(name)
        sql = (
            "SELECT * FROM registered_tools WHERE name = ? AND (? = 0 OR id < ?)"
            " ORDER BY id DESC LIMIT ?"
        )
        rows = await self._rows(sql, name, before, before, limit)
        return [(row["id"], read_tool(row)) for row in rows]

    async def evidence(self, tool: Tool) -> Sequence[Evidence]:
        """What was run to judge this version, newest first, at most 32."""
        sql = "SELECT * FROM evidence WHERE name = ? AND version = ? ORDER BY id DESC LIMIT ?"
        rows = await self._rows(sql, tool.name, tool.version, _SHOWN_EVIDENCE)
        return [read_evidence(row) for row in rows]

    async def usage(self, tool: Tool) -> Usage:
        """How this version has done in use."""
        sql = (
            "SELECT invocation_count, failure_count, failures_in_a_row, last_failure, last_time"
            " FROM usage WHERE name = ? AND version = ?"
        )
        rows = await self._rows(sql, tool.name, tool.version)
        return Usage(*rows[0]) if rows else Usage()

    async def matching(self, words: Sequence[str], limit: int) -> Sequence[tuple[Tool, float]]:
        """Tools that hold any of the words, best first; the score is the share of words held."""
        values = {"words": json.dumps(list(words)), "limit": limit}
        rows = await self._database.read(lambda c: c.execute(_MATCHING, values).fetchall())
        return [(read_tool(row), row["held"] / len(words)) for row in rows]

    async def unindexed(self) -> Sequence[Tool]:
        """Tools of whose present state the index does not yet know."""
        rows = await self._rows("SELECT * FROM current_tools WHERE NOT indexed LIMIT 100")
        return [read_tool(row) for row in rows]

    async def mark_indexed(self, tool: Tool) -> None:
        """Says that the index knows this state; nothing where it has changed since."""
        await self._database.write(
            lambda c: c.execute(
                "UPDATE tools SET indexed = 1 WHERE name IN (SELECT name FROM current_tools"
                " WHERE name = ? AND version = ? AND created_at = ? AND state = ?)",
                (tool.name, tool.version, tool.created_at, tool.state),
            )
        )

    async def _rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        return await self._database.read(lambda c: c.execute(sql, values).fetchall())
