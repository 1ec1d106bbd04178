"""The event journal in SQLite."""

import asyncio
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime

from services.supervisor.events import Event, EventKind, Happening
from services.supervisor.sqlite_journal import Journal, micros, moment

_PAGE = 500


def append(connection: sqlite3.Connection, happening: Happening) -> None:
    """Writes the next line, in the transaction of what happened."""
    # Nothing is ever deleted and an undone transaction takes its number back: so, no gaps.
    connection.execute(
        "INSERT INTO events SELECT coalesce(max(sequence), 0) + 1, ?, ?, ?, ?, ? FROM events",
        (
            micros(datetime.now(UTC)),
            happening.kind,
            happening.persona,
            happening.subject,
            happening.message,
        ),
    )


class SqliteEvents:
    """Reads the journal; an `EventLog`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def page(self, after: int) -> Sequence[Event]:
        """At most 500 events after a sequence, in order."""
        rows = await self._journal.read(
            lambda c: c.execute(
                "SELECT * FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?", (after, _PAGE)
            ).fetchall()
        )
        return [_event(row) for row in rows]

    def next_change(self) -> asyncio.Event:
        """Is set once something was written after this call."""
        return self._journal.next_change()


def _event(row: sqlite3.Row) -> Event:
    happening = Happening(EventKind(row["kind"]), row["persona"], row["subject"], row["message"])
    return Event(row["sequence"], moment(row["created_at"]), happening)
