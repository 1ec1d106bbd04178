"""The Supervisor's database: its schema, and the one way in which it is written."""

import asyncio
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from shared.ledger import Ledger
from shared.sqlite import Database

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# All times are microseconds: of the Unix epoch (`_at`) or of a span (`_us`).
SCHEMA = """
CREATE TABLE personas (
    name TEXT PRIMARY KEY,
    tag TEXT NOT NULL,
    digest TEXT NOT NULL,
    generation INTEGER NOT NULL,
    previous_tag TEXT,
    previous_digest TEXT,
    previous_generation INTEGER
) STRICT;
CREATE TABLE somas (
    ordinal INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    persona TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    closed_at INTEGER
) STRICT;
CREATE TABLE turns (
    soma_id TEXT NOT NULL REFERENCES somas (id),
    number INTEGER NOT NULL,
    request_id TEXT NOT NULL UNIQUE,
    payload_sha256 BLOB NOT NULL,
    user_text TEXT NOT NULL,
    assistant_text TEXT NOT NULL,
    system_text TEXT NOT NULL,
    recollections TEXT NOT NULL,
    tag TEXT NOT NULL,
    digest TEXT NOT NULL,
    generation INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    first_token_us INTEGER NOT NULL,
    wall_us INTEGER NOT NULL,
    recall_unavailable INTEGER NOT NULL,
    rating INTEGER NOT NULL,
    correction TEXT NOT NULL,
    PRIMARY KEY (soma_id, number)
) STRICT;
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    episodes TEXT NOT NULL,
    closed_soma TEXT,  -- the Soma to sum up, in the place of episodes
    refusal TEXT
) STRICT;
CREATE TABLE gpu_lease (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    state INTEGER NOT NULL,
    fencing_token INTEGER NOT NULL,
    holder TEXT NOT NULL,
    request_id TEXT NOT NULL,
    ttl_us INTEGER NOT NULL,
    expected_us INTEGER NOT NULL
) STRICT;
INSERT INTO gpu_lease VALUES (1, 1, 0, '', '', 0, 0);
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY,
    created_at INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    persona TEXT NOT NULL,
    subject TEXT NOT NULL,
    message TEXT NOT NULL
) STRICT;
"""

_TOOL_CALLS = """
ALTER TABLE turns ADD COLUMN tools TEXT NOT NULL DEFAULT '[]';
ALTER TABLE turns ADD COLUMN tool_calls TEXT NOT NULL DEFAULT '[]';
ALTER TABLE turns ADD COLUMN tools_unavailable INTEGER NOT NULL DEFAULT 0;
ALTER TABLE turns ADD COLUMN prompt_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE turns ADD COLUMN answer_tokens INTEGER NOT NULL DEFAULT 0;
"""

_TURN_WORDS = """
-- The text stays in `turns`; nothing ever deletes a turn or gives it another rowid.
CREATE VIRTUAL TABLE turn_words USING fts5 (
    user_text, assistant_text, correction, content = 'turns', tokenize = 'unicode61'
);
INSERT INTO turn_words (turn_words) VALUES ('rebuild');
CREATE TRIGGER turn_words_of_new AFTER INSERT ON turns BEGIN
    INSERT INTO turn_words (rowid, user_text, assistant_text, correction)
    VALUES (new.rowid, new.user_text, new.assistant_text, new.correction);
END;
CREATE TRIGGER turn_words_of_corrected AFTER UPDATE OF correction ON turns BEGIN
    INSERT INTO turn_words (turn_words, rowid, user_text, assistant_text, correction)
    VALUES ('delete', old.rowid, old.user_text, old.assistant_text, old.correction);
    INSERT INTO turn_words (rowid, user_text, assistant_text, correction)
    VALUES (new.rowid, new.user_text, new.assistant_text, new.correction);
END;
"""

_LESSONS = """
CREATE TABLE lessons (  -- training runs that began by themselves
    persona TEXT NOT NULL,
    golden INTEGER NOT NULL,  -- examples that there were
    begun_at INTEGER NOT NULL
) STRICT;
"""

MIGRATIONS = (SCHEMA, Ledger.MIGRATION, _TOOL_CALLS, _TURN_WORDS, _LESSONS)


class Journal:
    """One SQLite file, and the bell that rings after each write."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path, MIGRATIONS)
        self._changed = asyncio.Event()

    async def open(self) -> None:
        """Opens the file; see `shared.sqlite.Database.open` for the errors."""
        await self.database.open()

    async def close(self) -> None:
        """Closes the file after what is under way."""
        await self.database.close()

    async def read(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Runs a function that only reads."""
        return await self.database.read(function)

    async def write(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Runs a function in one transaction; see `shared.sqlite.Database.write`."""
        try:
            return await self.database.write(function)
        finally:
            self._changed.set()
            self._changed = asyncio.Event()

    def next_change(self) -> asyncio.Event:
        """Is set once a write that ends after this call has ended."""
        return self._changed


def micros(moment: datetime) -> int:
    """A moment in microseconds of the Unix epoch."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(micros: int) -> datetime:
    """The moment of these microseconds of the Unix epoch."""
    return _EPOCH + timedelta(microseconds=micros)
