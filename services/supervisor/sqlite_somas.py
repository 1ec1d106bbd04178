"""Somas and their turns in SQLite."""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from services.supervisor import remembrance, sqlite_events, sqlite_outbox
from services.supervisor.answering import Question
from services.supervisor.conversation import Finished
from services.supervisor.events import EventKind, Happening
from services.supervisor.grading import Grade, Receipt
from services.supervisor.recall import TurnKey
from services.supervisor.soma import COLLECTION, Rating, Soma, Turn
from services.supervisor.soma_import import request_id_of
from services.supervisor.sqlite_journal import Journal, micros, moment
from services.supervisor.sqlite_turns import INSERT, row_of, turn_of
from shared.errors import AlreadyExists, InvalidArgument, NotFound

_PAGE = """
SELECT * FROM somas
WHERE (:persona = '' OR persona = :persona)
AND (:before = 0 OR ordinal < :before)
AND (NOT :golden OR EXISTS (
    SELECT 1 FROM turns WHERE soma_id = somas.id AND (rating = 1 OR correction != '')
))
ORDER BY ordinal DESC LIMIT :size
"""


class SqliteSomas:
    """Where Somas are kept; every method is one transaction."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def finished(self, question: Question) -> Finished | None:
        """The turn that answered this request before; REQUEST_ID_REUSED for another request."""
        return await self._journal.read(lambda c: _finished(c, question))

    async def get(self, soma_id: str) -> Soma:
        """A Soma with its turns; NotFound."""
        return await self._journal.read(lambda c: _soma(c, soma_id))

    async def after(self, soma_id: str, number: int, limit: int) -> Soma:
        """A Soma with at most `limit` turns after this number, in order; NotFound."""
        return await self._journal.read(lambda c: _soma(c, soma_id, number, limit))

    async def keep(self, question: Question, soma: Soma, turn: Turn) -> Finished:
        """Keeps a turn, what Memory is to learn of it and its event, all or nothing."""

        def insert(connection: sqlite3.Connection) -> Finished:
            # A call that was cancelled while it committed left a turn behind: it counts.
            if finished := _finished(connection, question):
                return finished
            numbered = _insert(connection, question, soma, turn)
            sqlite_outbox.add(connection, remembrance.said(soma, numbered))
            sqlite_events.append(connection, _told(soma, numbered))
            return Finished(soma, numbered)

        return await self._journal.write(insert)

    async def grade(self, grade: Grade, receipt: Receipt) -> Turn:
        """Changes a turn's rating or correction; NotFound where there is no such turn."""

        def change(connection: sqlite3.Connection) -> Turn:
            soma = _soma(connection, grade.soma_id)
            turn = _turn_of(soma, grade.number)
            graded = replace(
                turn,
                rating=turn.rating if grade.rating is None else grade.rating,
                correction=grade.correction or turn.correction,
            )
            connection.execute(
                "UPDATE turns SET rating = ?, correction = ? WHERE soma_id = ? AND number = ?",
                (graded.rating, graded.correction, soma.id, graded.number),
            )
            if graded.correction != turn.correction:
                sqlite_outbox.add(connection, remembrance.corrected(soma, graded))
            sqlite_events.append(connection, grade.happening(soma))
            receipt(connection, graded)
            return graded

        return await self._journal.write(change)

    async def close(
        self, soma_id: str, receipt: Callable[[sqlite3.Connection, Soma], None]
    ) -> Soma:
        """Ends a Soma, and has Memory sum it up; one that has ended stays as it is. NotFound."""

        def change(connection: sqlite3.Connection) -> Soma:
            soma = _find(connection, soma_id)
            if soma.closed_at is None:
                now = datetime.now(UTC)
                soma = replace(soma, closed_at=now)
                connection.execute(
                    "UPDATE somas SET closed_at = ? WHERE id = ?", (micros(now), soma.id)
                )
                sqlite_outbox.add_closing(connection, remembrance.closed(soma))
                message = f"{soma.name} was closed."
                happening = Happening(EventKind.SOMA_CLOSED, soma.persona, soma.name, message)
                sqlite_events.append(connection, happening)
            receipt(connection, soma)
            return soma

        return await self._journal.write(change)

    async def take(self, soma: Soma, receipt: Callable[[sqlite3.Connection, Soma], None]) -> Soma:
        """Keeps a Soma from elsewhere, and has Memory learn of it; AlreadyExists."""

        def insert(connection: sqlite3.Connection) -> Soma:
            if connection.execute("SELECT 1 FROM somas WHERE id = ?", (soma.id,)).fetchone():
                raise AlreadyExists(f"there is a Soma {soma.name} already")
            for turn in soma.turns:
                _insert(connection, _as_asked(soma, turn), soma, turn)
                sqlite_outbox.add(connection, remembrance.said(soma, turn))
                if turn.correction:
                    sqlite_outbox.add(connection, remembrance.corrected(soma, turn))
            if soma.closed_at:
                connection.execute(
                    "UPDATE somas SET closed_at = ? WHERE id = ?", (micros(soma.closed_at), soma.id)
                )
                sqlite_outbox.add_closing(connection, remembrance.closed(soma))
            message = f"{soma.name} was imported with {len(soma.turns)} turns."
            happening = Happening(EventKind.SOMA_IMPORTED, soma.persona, soma.name, message)
            sqlite_events.append(connection, happening)
            bare = replace(soma, turns=())
            receipt(connection, bare)
            return bare

        return await self._journal.write(insert)

    async def oldest(self, persona: str, after: int, size: int) -> Sequence[tuple[int, Soma]]:
        """Somas without turns, oldest first, each with its ordinal; `after` 0 starts anew."""
        rows = await self._journal.read(
            lambda c: c.execute(
                "SELECT * FROM somas WHERE ordinal > ? AND ? IN ('', persona)"
                " ORDER BY ordinal LIMIT ?",
                (after, persona, size),
            ).fetchall()
        )
        return [(row["ordinal"], _bare_soma(row)) for row in rows]

    async def disowned(self, turns: Collection[TurnKey]) -> Collection[TurnKey]:
        """Those of the turns that were rated bad or corrected."""

        def select(connection: sqlite3.Connection) -> set[TurnKey]:
            return {key for key in turns if _is_disowned(connection, key)}

        return await self._journal.read(select)

    async def page(
        self, persona: str, golden_only: bool, before: int, size: int
    ) -> Sequence[tuple[int, Soma]]:
        """Somas without turns, newest first, each with its ordinal; `before` 0 starts anew."""
        filters = {"persona": persona, "golden": golden_only, "before": before, "size": size}
        rows = await self._journal.read(lambda c: c.execute(_PAGE, filters).fetchall())
        return [(row["ordinal"], _bare_soma(row)) for row in rows]


def _finished(connection: sqlite3.Connection, question: Question) -> Finished | None:
    row = connection.execute(
        "SELECT * FROM turns WHERE request_id = ?", (question.request_id,)
    ).fetchone()
    if row is None:
        return None
    if row["payload_sha256"] != question.payload_sha256:
        raise InvalidArgument(
            "request_id was used before with another request; take a fresh UUID",
            reason="REQUEST_ID_REUSED",
        )
    return Finished(_find(connection, row["soma_id"]), turn_of(row))


def _find(connection: sqlite3.Connection, soma_id: str) -> Soma:
    row = connection.execute("SELECT * FROM somas WHERE id = ?", (soma_id,)).fetchone()
    if row is None:
        raise NotFound(f"there is no Soma {COLLECTION}/{soma_id}")
    return _bare_soma(row)


def _soma(connection: sqlite3.Connection, soma_id: str, after: int = 0, limit: int = -1) -> Soma:
    soma = _find(connection, soma_id)
    rows = connection.execute(
        "SELECT * FROM turns WHERE soma_id = ? AND number > ? ORDER BY number LIMIT ?",
        (soma_id, after, limit),
    )
    return replace(soma, turns=tuple(turn_of(row) for row in rows))


def _insert(connection: sqlite3.Connection, question: Question, soma: Soma, turn: Turn) -> Turn:
    connection.execute(
        "INSERT INTO somas (id, persona, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (soma.id, soma.persona, micros(soma.created_at)),
    )
    (number,) = connection.execute(
        "SELECT coalesce(max(number), 0) + 1 FROM turns WHERE soma_id = ?", (soma.id,)
    ).fetchone()
    numbered = replace(turn, number=number)
    connection.execute(
        INSERT,
        {
            "soma_id": soma.id,
            "request_id": question.request_id,
            "payload_sha256": question.payload_sha256,
            **row_of(numbered),
        },
    )
    return numbered


def _as_asked(soma: Soma, turn: Turn) -> Question:
    """What an imported turn is kept under; nobody can repeat it."""
    return Question(request_id_of(soma, turn.number), b"", soma.id, soma.persona, turn.user_text)


def _bare_soma(row: sqlite3.Row) -> Soma:
    closed_at = moment(row["closed_at"]) if row["closed_at"] is not None else None
    return Soma(row["id"], row["persona"], moment(row["created_at"]), closed_at=closed_at)


def _turn_of(soma: Soma, number: int) -> Turn:
    if not 1 <= number <= len(soma.turns):
        raise NotFound(f"{soma.name} has no turn {number}; it has {len(soma.turns)}")
    return soma.turns[number - 1]


def _is_disowned(connection: sqlite3.Connection, key: TurnKey) -> bool:
    name, number = key
    row = connection.execute(
        "SELECT 1 FROM turns WHERE soma_id = ? AND number = ? AND (rating = ? OR correction != '')",
        (name.removeprefix(f"{COLLECTION}/"), number, Rating.BAD),
    ).fetchone()
    return row is not None


def _told(soma: Soma, turn: Turn) -> Happening:
    message = f"{soma.persona} answered turn {turn.number} of {soma.name} with {turn.model.tag}."
    return Happening(EventKind.TURN_FINISHED, soma.persona, soma.name, message)
