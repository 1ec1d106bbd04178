"""Which forgotten rows still have bytes on the disk; kept in SQLite, so that a crash loses none."""

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass

from services.memory.scope import Selection
from shared.ledger import KEEP_SECONDS
from shared.sqlite import Database

Member = tuple[str, str]  # id and Soma of a forgotten row


@dataclass(frozen=True, slots=True)
class Forgetting:
    """How many rows a request forgets, and the ids of the images that still hold any of them."""

    count: int
    images: tuple[str, ...]


_CHUNK = 500  # below SQLite's limit of parameters


class PendingPurges:
    """The rows whose bytes the next purge removes."""

    MIGRATION = """
    CREATE TABLE pending_purges (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        namespace TEXT NOT NULL,
        id TEXT NOT NULL,
        soma TEXT NOT NULL,
        UNIQUE (namespace, id)
    ) STRICT;
    CREATE INDEX pending_purges_soma ON pending_purges (namespace, soma);
    CREATE TABLE forgettings (
        request_id TEXT PRIMARY KEY,
        row_count INTEGER NOT NULL,
        created_at REAL NOT NULL
    ) STRICT;
    """

    IMAGES_MIGRATION = "ALTER TABLE forgettings ADD COLUMN images TEXT NOT NULL DEFAULT ''"

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self,
        request_id: str,
        namespace: str,
        members: Sequence[Member],
        images: Sequence[str] = (),
    ) -> Forgetting:
        """Notes rows that are about to be forgotten, and the images that hold any of them.

        A repetition after a crash finds fewer rows, or none, and gets what the first time found.
        """
        rows = [(namespace, row_id, soma) for row_id, soma in members]

        def note(connection: sqlite3.Connection) -> Forgetting:
            connection.executemany(
                "INSERT OR REPLACE INTO pending_purges (namespace, id, soma) VALUES (?, ?, ?)", rows
            )
            now = time.time()
            connection.execute(
                "DELETE FROM forgettings WHERE created_at < ?", (now - KEEP_SECONDS,)
            )
            connection.execute(
                "INSERT OR IGNORE INTO forgettings VALUES (?, ?, ?, ?)",
                (request_id, len(rows), now, " ".join(images)),
            )
            count, held = connection.execute(
                "SELECT row_count, images FROM forgettings WHERE request_id = ?", (request_id,)
            ).fetchone()
            return Forgetting(int(count), tuple(held.split()))

        return await self._database.write(note)

    async def covers(self, selection: Selection) -> bool:
        """Whether any of the selected rows still waits for a purge.

        Of conditions it is not known which rows they admitted: any row of the namespace counts.
        """
        if selection.soma is not None:
            query = "SELECT 1 FROM pending_purges WHERE namespace = ? AND soma = ? LIMIT 1"
            return await self._any(query, (selection.namespace, selection.soma))
        if selection.ids is None:
            query = "SELECT 1 FROM pending_purges WHERE namespace = ? LIMIT 1"
            return await self._any(query, (selection.namespace,))
        for start in range(0, len(selection.ids), _CHUNK):
            ids = selection.ids[start : start + _CHUNK]
            marks = ", ".join("?" * len(ids))
            query = f"SELECT 1 FROM pending_purges WHERE namespace = ? AND id IN ({marks}) LIMIT 1"  # noqa: S608 (only marks)
            if await self._any(query, (selection.namespace, *ids)):
                return True
        return False

    async def last(self) -> int:
        """A mark behind everything that waits now; 0 where nothing waits."""
        return await self._database.read(
            lambda c: int(c.execute("SELECT max(sequence) FROM pending_purges").fetchone()[0] or 0)
        )

    async def clear(self, up_to: int) -> None:
        """Takes note that everything up to a mark was purged."""
        await self._database.write(
            lambda c: c.execute("DELETE FROM pending_purges WHERE sequence <= ?", (up_to,))
        )

    async def _any(self, query: str, values: tuple[str, ...]) -> bool:
        return await self._database.read(lambda c: c.execute(query, values).fetchone() is not None)
