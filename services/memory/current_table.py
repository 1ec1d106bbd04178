"""Which table is in use; kept in SQLite, so that a switch happens wholly or not at all."""

import hashlib

from services.memory.embedder import EmbedderIdentity
from shared.sqlite import Database

FIRST = "records"


class CurrentTable:
    """The name of the table in use."""

    MIGRATION = """
    CREATE TABLE current_table (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        name TEXT NOT NULL
    ) STRICT;
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def name(self) -> str:
        """The table in use; before the first switch the one that every Memory begins with."""
        row = await self._database.read(
            lambda c: c.execute("SELECT name FROM current_table").fetchone()
        )
        return str(row[0]) if row else FIRST

    async def switch(self, name: str) -> None:
        """Names another table, durably."""
        await self._database.write(
            lambda c: c.execute("INSERT OR REPLACE INTO current_table VALUES (1, ?)", (name,))
        )


def name_for(identity: EmbedderIdentity, current: str) -> str:
    """The table that an embedder's vectors go to, the same each time, and not the current one."""
    digest = hashlib.sha256(f"{current}\n{identity.name}".encode()).hexdigest()
    return f"{FIRST}_{digest[:16]}"
