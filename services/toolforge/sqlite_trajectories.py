"""Graded training data out of SQLite, in pages, so that no export holds all of it at once."""

import sqlite3
from collections.abc import AsyncIterator

from services.toolforge.sqlite_forge_rows import read_forge
from services.toolforge.sqlite_tool_rows import read_tool
from services.toolforge.trajectories import Trajectory, of_forge, of_tool
from shared.sqlite import Database

_PAGE = 50

# Forges and owner's tools in one order: by the time of grading, then by key.
_KEYS = """
SELECT graded_at, key FROM (
    SELECT ended_at AS graded_at, 'f' || id AS key FROM forges
    WHERE ended_at IS NOT NULL AND (state = 'succeeded' OR :include_failed)
    AND EXISTS (SELECT 1 FROM attempts WHERE forge = id)
    UNION ALL
    SELECT created_at, 't' || id FROM registrations WHERE origin = 'registered'
) WHERE (graded_at, key) > (:graded_at, :key) ORDER BY graded_at, key LIMIT :limit
"""


class SqliteTrajectories:
    """Implements the port `Trajectories`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def export(self, include_failed: bool) -> AsyncIterator[Trajectory]:
        """Every finished forge that drafted any code, and every registered tool, oldest first."""
        after = (0.0, "")
        seen: set[bytes] = set()  # 32 bytes each
        while page := await self._page(after, include_failed):
            for _, trajectory in page:
                wanted = trajectory.passed or include_failed
                if wanted and trajectory.digest not in seen:
                    seen.add(trajectory.digest)
                    yield trajectory
            after = page[-1][0]

    async def _page(
        self, after: tuple[float, str], include_failed: bool
    ) -> list[tuple[tuple[float, str], Trajectory]]:
        values = {"graded_at": after[0], "key": after[1], "include_failed": include_failed}
        return await self._database.read(lambda c: _load_page(c, values))


def _load_page(
    connection: sqlite3.Connection, values: dict[str, object]
) -> list[tuple[tuple[float, str], Trajectory]]:
    keys = connection.execute(_KEYS, {**values, "limit": _PAGE}).fetchall()
    return [
        ((row["graded_at"], row["key"]), _load(connection, row["key"], row["graded_at"]))
        for row in keys
    ]


def _load(connection: sqlite3.Connection, key: str, graded_at: float) -> Trajectory:
    kind, identity = key[0], key[1:]
    if kind == "f":
        row = connection.execute("SELECT * FROM forges WHERE id = ?", (identity,)).fetchone()
        return of_forge(read_forge(connection, row), graded_at, _quarantined(connection, identity))
    row = connection.execute("SELECT * FROM registered_tools WHERE id = ?", (identity,)).fetchone()
    return of_tool(read_tool(row))


def _quarantined(connection: sqlite3.Connection, forge_id: str) -> bool:
    """Whether what a forge made is in quarantine."""
    return (
        connection.execute(
            "SELECT 1 FROM registrations JOIN quarantines USING (name, version) WHERE forge = ?",
            (forge_id,),
        ).fetchone()
        is not None
    )
