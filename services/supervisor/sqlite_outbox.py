"""The outbox in SQLite: what Memory has not acknowledged yet."""

import asyncio
import json
import sqlite3
from dataclasses import asdict

from services.supervisor.memory import Batch, Closing, Episode
from services.supervisor.remembrance import Parcel
from services.supervisor.sqlite_journal import Journal, micros, moment


def add(connection: sqlite3.Connection, batch: Batch) -> None:
    """Puts a batch last, in the transaction of what it tells."""
    if batch.episodes:
        connection.execute(
            "INSERT INTO outbox (request_id, namespace, episodes) VALUES (?, ?, ?)",
            (batch.request_id, batch.namespace, _written(batch)),
        )


def add_closing(connection: sqlite3.Connection, closing: Closing) -> None:
    """Puts the end of a Soma last: Memory has all of its episodes before it."""
    connection.execute(
        "INSERT INTO outbox (request_id, namespace, episodes, closed_soma) VALUES (?, ?, '[]', ?)",
        (closing.request_id, closing.namespace, closing.soma),
    )


class SqliteOutbox:
    """An `Outbox`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def first(self) -> Parcel | None:
        """The oldest parcel that was not refused."""
        row = await self._journal.read(
            lambda c: c.execute(
                "SELECT * FROM outbox WHERE refusal IS NULL ORDER BY id LIMIT 1"
            ).fetchone()
        )
        return Parcel(row["id"], _content(row)) if row else None

    async def delivered(self, parcel: Parcel) -> None:
        """Drops a parcel."""
        await self._journal.write(
            lambda c: c.execute("DELETE FROM outbox WHERE id = ?", (parcel.id,))
        )

    async def refused(self, parcel: Parcel, reason: str) -> None:
        """Sets a parcel aside with the reason."""
        await self._journal.write(
            lambda c: c.execute("UPDATE outbox SET refusal = ? WHERE id = ?", (reason, parcel.id))
        )

    def next_change(self) -> asyncio.Event:
        """Is set once something was written after this call."""
        return self._journal.next_change()


def _written(batch: Batch) -> str:
    return json.dumps(
        [asdict(e) | {"created_at": micros(e.created_at)} for e in batch.episodes],
        ensure_ascii=False,
    )


def _content(row: sqlite3.Row) -> Batch | Closing:
    if row["closed_soma"] is not None:
        return Closing(row["request_id"], row["namespace"], row["closed_soma"])
    episodes = tuple(
        Episode(**(fields | {"created_at": moment(fields["created_at"])}))
        for fields in json.loads(row["episodes"])
    )
    return Batch(row["request_id"], row["namespace"], episodes)
