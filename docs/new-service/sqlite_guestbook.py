"""The book in SQLite."""

import sqlite3
from collections.abc import Sequence

from services.guestbook.guestbook import Guest, Receipt
from shared.sqlite import Database

MIGRATION = "CREATE TABLE guests (number INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT"


class SqliteGuestbook:
    """Implements the port `Guestbook`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sign(self, name: str, receipt: Receipt) -> Guest:
        """See Guestbook.sign."""

        def write(connection: sqlite3.Connection) -> Guest:
            number = connection.execute("INSERT INTO guests (name) VALUES (?)", (name,)).lastrowid
            guest = Guest(number or 0, name)
            receipt(connection, guest)
            return guest

        return await self._database.write(write)

    async def after(self, number: int, limit: int) -> Sequence[Guest]:
        """See Guestbook.after."""
        rows = await self._database.read(
            lambda c: c.execute(
                "SELECT * FROM guests WHERE number > ? ORDER BY number LIMIT ?", (number, limit)
            ).fetchall()
        )
        return [Guest(row["number"], row["name"]) for row in rows]
