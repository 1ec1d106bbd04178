"""What personas have learnt from by themselves, in SQLite."""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime

from services.supervisor import sqlite_events
from services.supervisor.autolearn import Lesson
from services.supervisor.events import EventKind, Happening
from services.supervisor.sqlite_journal import Journal, micros, moment

_LESSONS = """
SELECT persona, count(*) AS golden,
    coalesce((SELECT max(golden) FROM lessons WHERE lessons.persona = somas.persona), 0) AS learnt
FROM turns JOIN somas ON somas.id = soma_id
WHERE rating = 1 OR correction != ''
GROUP BY persona ORDER BY persona
"""


class SqliteLessons:
    """`Records` of autolearn."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def lessons(self) -> Sequence[Lesson]:
        """Of all personas that have golden examples."""
        rows = await self._journal.read(lambda c: c.execute(_LESSONS).fetchall())
        return [Lesson(row["persona"], row["golden"], row["learnt"]) for row in rows]

    async def runs_since(self, moment: datetime) -> int:
        """How many runs were begun by themselves since then."""
        row = await self._journal.read(
            lambda c: c.execute(
                "SELECT count(*) FROM lessons WHERE begun_at > ?", (micros(moment),)
            ).fetchone()
        )
        return int(row[0])

    async def last_turn(self) -> datetime | None:
        """When a turn was asked last."""
        row = await self._journal.read(
            lambda c: c.execute("SELECT max(created_at) FROM turns").fetchone()
        )
        return moment(row[0]) if row[0] is not None else None

    async def begun(self, lesson: Lesson, message: str) -> None:
        """Keeps that a run was begun, and its event."""
        values = (lesson.persona, lesson.golden, micros(datetime.now(UTC)))
        happening = Happening(EventKind.AUTOLEARN_BEGUN, lesson.persona, "", message)

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO lessons VALUES (?, ?, ?)", values)
            sqlite_events.append(connection, happening)

        await self._journal.write(write)

    async def put_off(self, persona: str, message: str) -> None:
        """Keeps the event of a decision against a run."""
        happening = Happening(EventKind.AUTOLEARN_PUT_OFF, persona, "", message)
        await self._journal.write(lambda c: sqlite_events.append(c, happening))
