"""Forges, attempts and events as rows: each function works in its caller's transaction."""

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import astuple

from services.toolforge.forge import (
    Attempt,
    Forge,
    Kind,
    ProposedTest,
    Sample,
    State,
    Verdict,
)
from services.toolforge.spec import Spec, read_example
from services.toolforge.sqlite_tool_rows import (
    examples_to_json,
    spec_from_row,
    storable,
    tolerance_to_json,
)

MIGRATION = """
CREATE TABLE forges (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    examples_json TEXT NOT NULL,
    tolerance_json TEXT NOT NULL,
    persona TEXT NOT NULL,
    attempt_limit INTEGER NOT NULL,
    samples INTEGER NOT NULL,
    proposed_limit INTEGER NOT NULL,
    offered_limit INTEGER NOT NULL,
    existing INTEGER NOT NULL,
    state TEXT NOT NULL,
    created_at REAL NOT NULL,
    ended_at REAL,
    begun INTEGER NOT NULL DEFAULT 0,
    model TEXT NOT NULL DEFAULT '',
    failure TEXT NOT NULL DEFAULT '',
    failure_reason TEXT NOT NULL DEFAULT '',
    proposed_json TEXT
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
    other_samples_json TEXT NOT NULL,
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
    state, spec = State(row["state"]), spec_from_row(row)
    return Forge(
        id=row["id"],
        spec=spec,
        persona=row["persona"],
        attempt_limit=row["attempt_limit"],
        state=state,
        created_at=row["created_at"],
        attempts=tuple(read_attempt(attempt) for attempt in attempts),
        tool=row["name"] if state is State.SUCCEEDED else "",
        failure=row["failure"],
        failure_reason=row["failure_reason"],
        model=row["model"],
        samples=row["samples"],
        proposed_limit=row["proposed_limit"],
        offered_limit=row["offered_limit"],
        existing=bool(row["existing"]),
        proposed=_read_proposed(spec, row["proposed_json"]),
    )


def _read_proposed(spec: Spec, text: str | None) -> tuple[ProposedTest, ...] | None:
    if text is None:
        return None
    return tuple(
        ProposedTest(read_example(spec, arguments, result), disagreement)
        for arguments, result, disagreement in json.loads(text)
    )


def write_proposed(
    connection: sqlite3.Connection, forge_id: str, tests: Sequence[ProposedTest]
) -> None:
    """Writes what the model proposed."""
    rows = [(t.example.arguments_json, t.example.result_json, t.disagreement) for t in tests]
    connection.execute(
        "UPDATE forges SET proposed_json = ? WHERE id = ?", (json.dumps(rows), forge_id)
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
        (state, storable(failure), reason, time.time(), forge_id),
    )
    insert_event(connection, forge_id, state, attempt)


def insert_forge(connection: sqlite3.Connection, forge: Forge) -> None:
    """Writes a new forge, which may have ended as it began."""
    values = {
        "id": forge.id,
        "name": forge.spec.name,
        "description": forge.spec.description,
        "examples_json": examples_to_json(forge.spec),
        "tolerance_json": tolerance_to_json(forge.spec),
        "persona": forge.persona,
        "attempt_limit": forge.attempt_limit,
        "samples": forge.samples,
        "proposed_limit": forge.proposed_limit,
        "offered_limit": forge.offered_limit,
        "existing": forge.existing,
        "state": forge.state,
        "created_at": forge.created_at,
        "ended_at": forge.created_at if forge.state.ended else None,
    }
    connection.execute(
        f"INSERT INTO forges ({', '.join(values)}) VALUES (:{', :'.join(values)})",  # noqa: S608
        values,
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
        "INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
            json.dumps([astuple(sample) for sample in attempt.other_samples]),
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
        other_samples=tuple(
            Sample(source, Verdict(verdict), finding, passed_count)
            for source, verdict, finding, passed_count in json.loads(row["other_samples_json"])
        ),
    )
