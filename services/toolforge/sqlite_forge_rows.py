"""Forges, attempts and events as rows: each function works in its caller's transaction."""

import sqlite3
import time

from services.toolforge.forge import Attempt, Forge, Kind, State, Verdict
from services.toolforge.sqlite_registry import examples_to_json, spec_from_row

_FAILURE_CHARACTERS = 2000

MIGRATION = """
CREATE TABLE forges (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    examples_json TEXT NOT NULL,
    persona TEXT NOT NULL,
    attempt_limit INTEGER NOT NULL,
    state TEXT NOT NULL,
    created_at REAL NOT NULL,
    ended_at REAL,
    begun INTEGER NOT NULL DEFAULT 0,
    model TEXT NOT NULL DEFAULT '',
    failure TEXT NOT NULL DEFAULT '',
    failure_reason TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX forges_ended_at ON forges (ended_at);
CREATE TABLE attempts (
    forge TEXT NOT NULL REFERENCES forges (id),
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    verdict TEXT NOT NULL,
    source TEXT NOT NULL,
    finding TEXT NOT NULL,
    passed_count INTEGER NOT NULL,
    model_seconds REAL NOT NULL,
    trial_seconds REAL NOT NULL,
    PRIMARY KEY (forge, number)
) STRICT;
CREATE TABLE forge_events (
    forge TEXT NOT NULL REFERENCES forges (id),
    sequence INTEGER NOT NULL,
    state TEXT NOT NULL,
    attempt INTEGER,
    PRIMARY KEY (forge, sequence)
) STRICT;
"""


def read_forge(connection: sqlite3.Connection, row: sqlite3.Row) -> Forge:
    """A forge from its row, with its attempts."""
    attempts = connection.execute(
        "SELECT * FROM attempts WHERE forge = ? ORDER BY number", (row["id"],)
    ).fetchall()
    state = State(row["state"])
    return Forge(
        id=row["id"],
        spec=spec_from_row(row),
        persona=row["persona"],
        attempt_limit=row["attempt_limit"],
        state=state,
        created_at=row["created_at"],
        attempts=tuple(read_attempt(attempt) for attempt in attempts),
        tool=row["name"] if state is State.SUCCEEDED else "",
        failure=row["failure"],
        failure_reason=row["failure_reason"],
        model=row["model"],
    )


def find_forge(connection: sqlite3.Connection, forge_id: str) -> Forge | None:
    """A forge by its id."""
    row = connection.execute("SELECT * FROM forges WHERE id = ?", (forge_id,)).fetchone()
    return read_forge(connection, row) if row else None


def is_live(connection: sqlite3.Connection, forge_id: str) -> bool:
    """Whether a forge is there and has not ended."""
    row = connection.execute(
        "SELECT 1 FROM forges WHERE id = ? AND ended_at IS NULL", (forge_id,)
    ).fetchone()
    return row is not None


def end_forge(
    connection: sqlite3.Connection,
    forge_id: str,
    state: State,
    *,
    failure: str = "",
    reason: str = "",
    attempt: int | None = None,
) -> None:
    """Ends a forge and tells it."""
    connection.execute(
        "UPDATE forges SET state = ?, failure = ?, failure_reason = ?, ended_at = ? WHERE id = ?",
        (state, _storable(failure), reason, time.time(), forge_id),
    )
    insert_event(connection, forge_id, state, attempt)


def _storable(text: str) -> str:
    """What a peer said may be long, and may hold lone surrogates, which UTF-8 cannot."""
    return text[:_FAILURE_CHARACTERS].encode("utf-8", "replace").decode()


def insert_forge(connection: sqlite3.Connection, forge: Forge) -> None:
    """Writes a new forge."""
    connection.execute(
        "INSERT INTO forges (id, name, description, examples_json, persona, attempt_limit, state,"
        " created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            forge.id,
            forge.spec.name,
            forge.spec.description,
            examples_to_json(forge.spec),
            forge.persona,
            forge.attempt_limit,
            forge.state,
            forge.created_at,
        ),
    )


def insert_event(
    connection: sqlite3.Connection, forge_id: str, state: State, attempt: int | None = None
) -> None:
    """Writes the next event of a forge."""
    connection.execute(
        "INSERT INTO forge_events SELECT ?, coalesce(max(sequence), 0) + 1, ?, ? "
        "FROM forge_events WHERE forge = ?",
        (forge_id, state, attempt, forge_id),
    )


def insert_attempt(connection: sqlite3.Connection, forge_id: str, attempt: Attempt) -> None:
    """Writes an attempt."""
    connection.execute(
        "INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            forge_id,
            attempt.number,
            attempt.kind,
            attempt.verdict,
            attempt.source,
            attempt.finding,
            attempt.passed_count,
            attempt.model_seconds,
            attempt.trial_seconds,
        ),
    )


def read_attempt(row: sqlite3.Row) -> Attempt:
    """An attempt from its row."""
    return Attempt(
        number=row["number"],
        kind=Kind(row["kind"]),
        verdict=Verdict(row["verdict"]),
        source=row["source"],
        finding=row["finding"],
        passed_count=row["passed_count"],
        model_seconds=row["model_seconds"],
        trial_seconds=row["trial_seconds"],
    )
