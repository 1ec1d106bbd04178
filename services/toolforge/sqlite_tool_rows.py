"""Tools, their registrations, evidence and events as rows, in the caller's transaction."""

import json
import sqlite3
import time
from collections.abc import Sequence

from services.toolforge.evidence import Evidence, EvidenceKind
from services.toolforge.lifecycle import ToolEventKind
from services.toolforge.spec import Spec, Tolerance, read_spec
from services.toolforge.tool import Lineage, Origin, Tool, ToolState
from shared.errors import NotFound

_REASON_CHARACTERS = 2000

MIGRATION = """
CREATE TABLE tool_versions (
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    source TEXT NOT NULL,
    entry_point TEXT NOT NULL,
    schema_json TEXT NOT NULL,
    PRIMARY KEY (name, version)
) STRICT;
CREATE TABLE registrations (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    description TEXT NOT NULL,
    examples_json TEXT NOT NULL,
    tolerance_json TEXT NOT NULL,
    assertions TEXT NOT NULL,
    origin TEXT NOT NULL,
    sandbox_id TEXT NOT NULL,
    created_at REAL NOT NULL,
    forge TEXT NOT NULL,
    model TEXT NOT NULL,
    model_generation INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    FOREIGN KEY (name, version) REFERENCES tool_versions (name, version)
) STRICT;
CREATE INDEX registrations_name ON registrations (name);
CREATE INDEX registrations_forge ON registrations (forge);
CREATE TABLE tools (
    name TEXT PRIMARY KEY,
    registration INTEGER NOT NULL REFERENCES registrations (id),
    retired_reason TEXT,
    revision INTEGER NOT NULL DEFAULT 1,  -- grows by one with every change
    indexed INTEGER NOT NULL DEFAULT 0,  -- the revision that the index knows
    known INTEGER NOT NULL DEFAULT 0  -- whether the index holds anything of this tool
) STRICT;
CREATE TABLE quarantines (
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (name, version)
) STRICT;
CREATE TABLE evidence (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    kind TEXT NOT NULL,
    sandbox_id TEXT NOT NULL,
    time REAL NOT NULL,
    passed_count INTEGER NOT NULL,
    total_count INTEGER NOT NULL,
    finding TEXT NOT NULL,
    FOREIGN KEY (name, version) REFERENCES tool_versions (name, version)
) STRICT;
CREATE INDEX evidence_version ON evidence (name, version);
CREATE TABLE usage (
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    invocation_count INTEGER NOT NULL,
    failure_count INTEGER NOT NULL,
    failures_in_a_row INTEGER NOT NULL,
    last_failure TEXT NOT NULL,
    last_time REAL NOT NULL,
    PRIMARY KEY (name, version)
) STRICT;
CREATE TABLE tool_events (
    sequence INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    tool TEXT NOT NULL,
    version TEXT NOT NULL,
    reason TEXT NOT NULL,
    time REAL NOT NULL
) STRICT;
CREATE VIEW registered_tools AS
    SELECT registrations.*, source, entry_point, schema_json, revision, known,
        registration = registrations.id AS current,
        CASE WHEN retired_reason IS NOT NULL THEN 'retired'
            WHEN quarantines.reason IS NOT NULL THEN 'quarantined' ELSE 'active' END AS state,
        coalesce(retired_reason, quarantines.reason, '') AS state_reason
    FROM registrations JOIN tool_versions USING (name, version) JOIN tools USING (name)
    LEFT JOIN quarantines USING (name, version);
CREATE INDEX unindexed_tools ON tools (name) WHERE indexed < revision;
"""


def insert_tool(connection: sqlite3.Connection, tool: Tool, evidence: Sequence[Evidence]) -> None:
    """Writes a tool and makes it current; a version that is there stays as it is."""
    connection.execute(
        "INSERT OR IGNORE INTO tool_versions VALUES (?, ?, ?, ?, ?)",
        (tool.name, tool.version, tool.source, tool.entry_point, tool.schema_json),
    )
    registration = connection.execute(
        "INSERT INTO registrations (name, version, description, examples_json, tolerance_json,"
        " assertions, origin, sandbox_id, created_at, forge, model, model_generation, attempt)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            tool.name,
            tool.version,
            tool.spec.description,
            examples_to_json(tool.spec),
            tolerance_to_json(tool.spec),
            tool.assertions,
            tool.origin,
            tool.sandbox_id,
            tool.created_at,
            tool.lineage.forge,
            tool.lineage.model,
            tool.lineage.model_generation,
            tool.lineage.attempt,
        ),
    ).lastrowid
    connection.execute(
        "INSERT INTO tools (name, registration) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET"
        " registration = excluded.registration, retired_reason = NULL,"
        " revision = revision + 1",
        (tool.name, registration),
    )
    end_quarantine(connection, tool)
    for each in evidence:
        insert_evidence(connection, tool, each)
    insert_tool_event(connection, tool, ToolEventKind.REGISTERED)


def end_quarantine(connection: sqlite3.Connection, tool: Tool) -> None:
    """Lets a version that has just passed a trial begin anew."""
    key = (tool.name, tool.version)
    connection.execute("DELETE FROM quarantines WHERE name = ? AND version = ?", key)
    connection.execute("UPDATE usage SET failures_in_a_row = 0 WHERE name = ? AND version = ?", key)


def insert_evidence(connection: sqlite3.Connection, tool: Tool, evidence: Evidence) -> None:
    """Writes what was run to judge a version."""
    connection.execute(
        "INSERT INTO evidence (name, version, kind, sandbox_id, time, passed_count, total_count,"
        " finding) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            tool.name,
            tool.version,
            evidence.kind,
            evidence.sandbox_id,
            evidence.time,
            evidence.passed_count,
            evidence.total_count,
            evidence.finding,
        ),
    )


def insert_tool_event(
    connection: sqlite3.Connection, tool: Tool, kind: ToolEventKind, reason: str = ""
) -> None:
    """Writes the next event of all tools."""
    connection.execute(
        "INSERT INTO tool_events (kind, tool, version, reason, time) VALUES (?, ?, ?, ?, ?)",
        (kind, tool.name, tool.version, storable(reason), time.time()),
    )


def find_tool(connection: sqlite3.Connection, name: str, version: str = "") -> Tool:
    """A version of a tool, the current one for ""; raises NotFound."""
    row = connection.execute(
        "SELECT * FROM registered_tools WHERE name = ? AND CASE WHEN ? = '' THEN current"
        " ELSE version = ? END ORDER BY id DESC LIMIT 1",
        (name, version, version),
    ).fetchone()
    if row is None and version:
        raise NotFound(f"tool {name!r} has no version {version!r}", reason="VERSION_NOT_FOUND")
    if row is None:
        raise NotFound(f"there is no tool {name!r}", reason="TOOL_NOT_FOUND")
    return read_tool(row)


def read_tool(row: sqlite3.Row) -> Tool:
    """A tool from a row of `registered_tools`."""
    return Tool(
        version=row["version"],
        spec=spec_from_row(row),
        source=row["source"],
        entry_point=row["entry_point"],
        schema_json=row["schema_json"],
        origin=Origin(row["origin"]),
        created_at=row["created_at"],
        sandbox_id=row["sandbox_id"],
        lineage=Lineage(row["forge"], row["model"], row["model_generation"], row["attempt"]),
        assertions=row["assertions"],
        state=ToolState(row["state"]),
        state_reason=row["state_reason"],
    )


def read_evidence(row: sqlite3.Row) -> Evidence:
    """One judging from its row."""
    return Evidence(
        kind=EvidenceKind(row["kind"]),
        sandbox_id=row["sandbox_id"],
        time=row["time"],
        passed_count=row["passed_count"],
        total_count=row["total_count"],
        finding=row["finding"],
    )


def examples_to_json(spec: Spec) -> str:
    """A spec's examples as pairs of JSON texts."""
    return json.dumps([(e.arguments_json, e.result_json) for e in spec.examples])


def tolerance_to_json(spec: Spec) -> str:
    """A spec's tolerance, relative and absolute."""
    return json.dumps([spec.tolerance.relative, spec.tolerance.absolute])


def spec_from_row(row: sqlite3.Row) -> Spec:
    """A spec from a row with name, description, examples_json and tolerance_json."""
    pairs = [(arguments, result) for arguments, result in json.loads(row["examples_json"])]
    tolerance = Tolerance(*json.loads(row["tolerance_json"]))
    return read_spec(row["name"], row["description"], pairs, tolerance)


def storable(text: str) -> str:
    """What others said may be long, and may hold lone surrogates, which UTF-8 cannot."""
    return text[:_REASON_CHARACTERS].encode("utf-8", "replace").decode()
