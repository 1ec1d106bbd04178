"""Examples from elsewhere in SQLite, as one more source of golden examples."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.trainer.arbiter import Arbiter
from services.trainer.golden_example import GoldenExample, GoldenSource
from services.trainer.outside_data import OutsideExample
from shared.sqlite import Database

MIGRATION = """
CREATE TABLE outside_examples (
    persona TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    messages_json TEXT NOT NULL,
    answer TEXT NOT NULL,
    created_at REAL NOT NULL,
    PRIMARY KEY (persona, sha256)
) STRICT;
"""


class SqliteOutside:
    """Keeps what was imported, each example once per persona."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self,
        persona: str,
        examples: Sequence[OutsideExample],
        also: Callable[[sqlite3.Connection, int], None],
    ) -> int:
        """Keeps examples and does `also` with the number of new ones, in one transaction."""
        rows = [
            (persona, _sha256(e), json.dumps(e.messages), e.answer, time.time()) for e in examples
        ]

        def write(connection: sqlite3.Connection) -> int:
            before = connection.total_changes
            connection.executemany(
                "INSERT OR IGNORE INTO outside_examples VALUES (?, ?, ?, ?, ?)", rows
            )
            new = connection.total_changes - before
            also(connection, new)
            return new

        return await self._database.write(write)

    async def examples(self, persona: str, system_prompt: str) -> list[GoldenExample]:
        """What was imported for a persona, oldest first, with its system prompt in front."""
        rows = await self._database.read(
            lambda c: c.execute(
                "SELECT * FROM outside_examples WHERE persona = ? ORDER BY created_at, sha256",
                (persona,),
            ).fetchall()
        )
        system = {"role": "system", "content": system_prompt}
        return [
            GoldenExample(
                source="import",
                family=f"import {row['sha256']}",
                prompt=(system, *json.loads(row["messages_json"])),
                answer=row["answer"],
                origin=f"imports/{row['sha256'][:16]}",
            )
            for row in rows
        ]


@dataclass(frozen=True)
class AllSources:
    """What other services hold, and what was imported here, as one `GoldenSource`."""

    arbiter: Arbiter
    peers: GoldenSource
    outside: SqliteOutside

    async def examples(self, persona: str) -> list[GoldenExample]:
        """As `GoldenSource.examples`."""
        card = await self.arbiter.persona(persona)
        own = await self.peers.examples(card.name)
        return [*own, *await self.outside.examples(card.name, card.system_prompt)]


def _sha256(example: OutsideExample) -> str:
    text = json.dumps([example.messages, example.answer], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
