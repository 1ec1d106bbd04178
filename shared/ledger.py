"""Stored answers: the same request_id with the same payload gets the first answer again."""

import hashlib
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from google.protobuf.message import Message

from shared.errors import InvalidArgument
from shared.keyed_locks import KeyedLocks
from shared.naming import parse_request_id
from shared.sqlite import Database

KEEP_SECONDS = 24 * 3600

M = TypeVar("M", bound=Message)


class Ledger:
    """The answers of a service's mutations, kept for 24 hours in the service's own database.

    `record` is called inside the transaction of the mutation itself, so that the change and its
    answer become durable together or not at all. Whoever mutates holds `alone` around replaying,
    mutating and recording.
    """

    MIGRATION = """
    CREATE TABLE ledger (
        request_id TEXT PRIMARY KEY,
        method TEXT NOT NULL,
        payload_sha256 BLOB NOT NULL,
        answer BLOB NOT NULL,
        created_at REAL NOT NULL
    ) STRICT;
    CREATE INDEX ledger_created_at ON ledger (created_at);
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._locks = KeyedLocks()

    def alone(self, request: Message) -> AbstractAsyncContextManager[None]:
        """Has a repetition that overtakes its first attempt wait for the first answer.

        InvalidArgument where the request_id is no UUID.
        """
        return self._locks.hold(_request_id(request))

    async def replay(self, request: Message, answer_type: type[M]) -> M | None:
        """The first answer to this request, or None for a new one.

        Raises InvalidArgument where the request_id is no UUID, or was used with another payload
        (REQUEST_ID_REUSED).
        """
        request_id = _request_id(request)
        row = await self._database.read(
            lambda c: c.execute(
                "SELECT method, payload_sha256, answer FROM ledger WHERE request_id = ?",
                (request_id,),
            ).fetchone()
        )
        if row is None:
            return None
        if row["method"] != _method(request) or row["payload_sha256"] != _digest(request):
            raise InvalidArgument(
                "request_id was used before with another request; take a fresh UUID",
                reason="REQUEST_ID_REUSED",
            )
        return answer_type.FromString(row["answer"])

    async def once(
        self, request: Message, answer_type: type[M], do: Callable[[], Awaitable[M]]
    ) -> M:
        """The first answer to this request: the kept one, else that of `do`, which records it.

        Raises as `replay` does.
        """
        async with self.alone(request):
            first = await self.replay(request, answer_type)
            return first if first is not None else await do()

    async def keep(self, request: Message, answer: Message) -> None:
        """Records the answer of a mutation that changed nothing in this database."""
        await self._database.write(lambda c: record(c, request, answer))


def record(connection: sqlite3.Connection, request: Message, answer: Message) -> None:
    """Keeps an answer, and drops those older than 24 hours, in the caller's transaction."""
    now = time.time()
    connection.execute("DELETE FROM ledger WHERE created_at < ?", (now - KEEP_SECONDS,))
    connection.execute(
        "INSERT OR REPLACE INTO ledger VALUES (?, ?, ?, ?, ?)",
        (
            _request_id(request),
            _method(request),
            _digest(request),
            answer.SerializeToString(),
            now,
        ),
    )


def _request_id(request: Message) -> str:
    return parse_request_id(request.request_id)  # type: ignore[attr-defined]


def _method(request: Message) -> str:
    return request.DESCRIPTOR.name


def _digest(request: Message) -> bytes:
    return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
