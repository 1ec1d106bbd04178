"""Tools in SQLite: source by version, one row per registering, one pointer per tool."""

import json
import sqlite3
from collections.abc import Sequence

from services.toolforge.bell import Bell
from services.toolforge.registry import TOOLS_BELL, Companion
from services.toolforge.spec import Spec, read_spec
from services.toolforge.tool import Origin, Tool
from shared.errors import NotFound
from shared.sqlite import Database

MIGRATION = """
CREATE TABLE tool_versions (
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    source TEXT NOT NULL,
    entry_point TEXT NOT NULL,
    schema_json TEXT NOT NULL,
    PRIMARY KEY (name, version)
) STRICT;
CREATE TABLE registrations (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    description TEXT NOT NULL,
    examples_json TEXT NOT NULL,
    origin TEXT NOT NULL,
    sandbox_id TEXT NOT NULL,
    created_at REAL NOT NULL,
    FOREIGN KEY (name, version) REFERENCES tool_versions (name, version)
) STRICT;
CREATE TABLE tools (
    name TEXT PRIMARY KEY,
    registration INTEGER NOT NULL REFERENCES registrations (id),
    indexed INTEGER NOT NULL
) STRICT;
CREATE VIEW registered_tools AS
    SELECT * FROM registrations JOIN tool_versions USING (name, version);
CREATE VIEW current_tools AS
    SELECT registered_tools.*, indexed FROM tools
    JOIN registered_tools ON registered_tools.id = tools.registration;
"""

_MATCHING = """
SELECT *, (
    SELECT count(*) FROM json_each(:words) AS word
    WHERE instr(lower(name || ' ' || description), word.value)
) AS held FROM current_tools WHERE held ORDER BY held DESC, name LIMIT :limit
"""


class SqliteRegistry:
    """Implements the port `Registry`; rings the bell of tools after each registering."""

    def __init__(self, database: Database, bell: Bell) -> None:
        self._database = database
        self._bell = bell

    async def register(self, tool: Tool, also: Companion) -> None:
        """Keeps a tool, makes it current, and runs `also`, in one transaction."""

        def write(connection: sqlite3.Connection) -> None:
            insert_tool(connection, tool)
            also(connection)

        await self._database.write(write)
        self._bell.ring(TOOLS_BELL)

    async def get(self, name: str) -> Tool:
        """The current version; raises NotFound."""
        tools = await self._tools("SELECT * FROM current_tools WHERE name = ?", name)
        if not tools:
            raise NotFound(f"there is no tool {name!r}", reason="TOOL_NOT_FOUND")
        return tools[0]

    async def page(self, after: str, limit: int) -> Sequence[Tool]:
        """Tools whose names sort after `after`, by name."""
        sql = "SELECT * FROM current_tools WHERE name > ? ORDER BY name LIMIT ?"
        return await self._tools(sql, after, limit)

    async def matching(self, words: Sequence[str], limit: int) -> Sequence[tuple[Tool, float]]:
        """Tools that hold any of the words, best first; the score is the share of words held."""
        values = {"words": json.dumps(list(words)), "limit": limit}
        rows = await self._database.read(lambda c: c.execute(_MATCHING, values).fetchall())
        return [(read_tool(row), row["held"] / len(words)) for row in rows]

    async def unindexed(self) -> Sequence[Tool]:
        """Tools whose current version is not yet known to the index, oldest first."""
        return await self._tools("SELECT * FROM current_tools WHERE NOT indexed LIMIT 100")

    async def mark_indexed(self, tool: Tool) -> None:
        """Says that the index knows this version; nothing where a newer one is current."""
        await self._database.write(
            lambda c: c.execute(
                "UPDATE tools SET indexed = 1 WHERE name = ? AND registration IN (SELECT id FROM"
                " registrations WHERE version = ? AND created_at = ?)",
                (tool.name, tool.version, tool.created_at),
            )
        )

    async def _tools(self, sql: str, *values: object) -> list[Tool]:
        rows = await self._database.read(lambda c: c.execute(sql, values).fetchall())
        return [read_tool(row) for row in rows]


def insert_tool(connection: sqlite3.Connection, tool: Tool) -> None:
    """Writes a tool in the caller's transaction; a version that is there stays as it is."""
    connection.execute(
        "INSERT OR IGNORE INTO tool_versions VALUES (?, ?, ?, ?, ?)",
        (tool.name, tool.version, tool.source, tool.entry_point, tool.schema_json),
    )
    registration = connection.execute(
        "INSERT INTO registrations (name, version, description, examples_json, origin, sandbox_id,"
        " created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            tool.name,
            tool.version,
            tool.spec.description,
            examples_to_json(tool.spec),
            tool.origin,
            tool.sandbox_id,
            tool.created_at,
        ),
    ).lastrowid
    connection.execute(
        "INSERT OR REPLACE INTO tools VALUES (?, ?, 0)",
        (tool.name, registration),
    )


def read_tool(row: sqlite3.Row) -> Tool:
    """A tool from a row of `registered_tools`."""
    return Tool(
        version=row["version"],
        spec=spec_from_row(row),
        source=row["source"],
        entry_point=row["entry_point"],
        schema_json=row["schema_json"],
        origin=Origin(row["origin"]),
        created_at=row["created_at"],
        sandbox_id=row["sandbox_id"],
    )


def examples_to_json(spec: Spec) -> str:
    """A spec's examples as pairs of JSON texts."""
    return json.dumps([(e.arguments_json, e.result_json) for e in spec.examples])


def spec_from_row(row: sqlite3.Row) -> Spec:
    """A spec from a row with name, description and examples_json."""
    pairs = [(arguments, result) for arguments, result in json.loads(row["examples_json"])]
    return read_spec(row["name"], row["description"], pairs)
