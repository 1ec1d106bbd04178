"""Tools in SQLite: source by version, one row per registering, one pointer per tool."""

import json
import sqlite3
from collections.abc import Mapping, Sequence

from services.toolforge.bell import Bell
from services.toolforge.evidence import Evidence, Usage
from services.toolforge.registry import TOOLS_BELL, Companion, Revision
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
) AS held FROM registered_tools
WHERE current AND held AND state = 'active' ORDER BY held DESC, name LIMIT :limit
"""

# By number: the rows of one page are looked up, none beside them.
_PAGE = """
SELECT * FROM registered_tools WHERE id IN (
    SELECT registration FROM tools WHERE name > ? AND (? OR retired_reason IS NULL)
    ORDER BY name LIMIT ?
) ORDER BY name
"""

_ACTIVE_AMONG = """
SELECT * FROM registered_tools WHERE state = 'active' AND id IN (
    SELECT registration FROM tools WHERE name IN (SELECT value FROM json_each(?))
)
"""

_UNINDEXED = """
SELECT * FROM registered_tools WHERE id IN (
    SELECT registration FROM tools WHERE indexed < revision LIMIT 100
)
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
        rows = await self._rows(_PAGE, after, include_retired, limit)
        return [read_tool(row) for row in rows]

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

    async def active_among(self, names: Sequence[str]) -> Mapping[str, Tool]:
        """Current versions of those that are active, by name."""
        rows = await self._rows(_ACTIVE_AMONG, json.dumps(list(names)))
        return {row["name"]: read_tool(row) for row in rows}

    async def unindexed(self) -> Sequence[Revision]:
        """Tools whose present state the index does not know."""
        rows = await self._rows(_UNINDEXED)
        return [Revision(read_tool(row), row["revision"], bool(row["known"])) for row in rows]

    async def mark_indexed(self, revisions: Sequence[Revision]) -> None:
        """Says that the index knows these."""
        rows = [(r.number, r.tool.state is ToolState.ACTIVE, r.tool.name) for r in revisions]
        sql = "UPDATE tools SET indexed = ?, known = ? WHERE name = ?"
        await self._database.write(lambda c: c.executemany(sql, rows))

    async def _rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        return await self._database.read(lambda c: c.execute(sql, values).fetchall())
