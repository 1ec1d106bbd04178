"""Who did what through the gateway, as far back as is kept."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from shared.sqlite import Database

MIGRATION = """
CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    token TEXT NOT NULL,
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    status INTEGER NOT NULL,
    request_id TEXT NOT NULL
) STRICT;
"""
_KEPT = 100_000
_PRUNED_EVERY = 1_000


@dataclass(frozen=True, slots=True)
class Deed:
    """One request: when it was answered (seconds since 1970), by whose token, for what, and how.

    `token` and `name` are empty where none was shown. What was said is not kept here.
    """

    at: float
    token: str
    name: str
    address: str
    method: str
    path: str
    status: int
    request_id: str


class AuditLog:
    """The latest 100,000 requests; `database` has MIGRATION."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, deed: Deed) -> None:
        """Keeps a request."""

        def write(connection: sqlite3.Connection) -> None:
            number = connection.execute(
                "INSERT INTO audit (at, token, name, address, method, path, status, request_id)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                astuple(deed),
            ).lastrowid
            if number is not None and number % _PRUNED_EVERY == 0:
                connection.execute("DELETE FROM audit WHERE number <= ?", (number - _KEPT,))

        await self._database.write(write)

    async def latest(self, count: int, token: str = "") -> Sequence[Deed]:
        """The latest requests, the newest first; of one token where it is named."""
        rows = await self._database.read(
            lambda c: c.execute(
                "SELECT at, token, name, address, method, path, status, request_id FROM audit"
                " WHERE ? IN ('', token) ORDER BY number DESC LIMIT ?",
                (token, count),
            ).fetchall()
        )
        return [Deed(*row) for row in rows]
