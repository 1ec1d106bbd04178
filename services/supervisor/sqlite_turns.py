"""Turns as rows of SQLite."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict

from services.supervisor.persona import ModelPointer
from services.supervisor.soma import Rating, Recollection, Turn
from services.supervisor.sqlite_journal import micros, moment

INSERT = """
INSERT INTO turns VALUES (
    :soma_id, :number, :request_id, :payload_sha256, :user_text, :assistant_text, :system_text,
    :recollections, :tag, :digest, :generation, :created_at, :first_token_us, :wall_us,
    :recall_unavailable, :rating, :correction
)
"""


def row_of(turn: Turn) -> dict[str, str | int]:
    """The columns of a turn, but for those that say where it belongs."""
    return {
        "number": turn.number,
        "user_text": turn.user_text,
        "assistant_text": turn.assistant_text,
        "system_text": turn.system_text,
        "recollections": _written(turn.recollections),
        "tag": turn.model.tag,
        "digest": turn.model.digest,
        "generation": turn.model.generation,
        "created_at": micros(turn.created_at),
        "first_token_us": round(turn.first_token_seconds * 1e6),
        "wall_us": round(turn.wall_seconds * 1e6),
        "recall_unavailable": int(turn.recall_unavailable),
        "rating": turn.rating.value,
        "correction": turn.correction,
    }


def turn_of(row: sqlite3.Row) -> Turn:
    """The turn in a row of `turns`."""
    return Turn(
        number=row["number"],
        user_text=row["user_text"],
        assistant_text=row["assistant_text"],
        system_text=row["system_text"],
        recollections=_recollections(row["recollections"]),
        model=ModelPointer(row["tag"], row["digest"], row["generation"]),
        created_at=moment(row["created_at"]),
        first_token_seconds=row["first_token_us"] / 1e6,
        wall_seconds=row["wall_us"] / 1e6,
        recall_unavailable=bool(row["recall_unavailable"]),
        rating=Rating(row["rating"]),
        correction=row["correction"],
    )


def _written(recollections: Sequence[Recollection]) -> str:
    return json.dumps(
        [asdict(r) | {"created_at": micros(r.created_at)} for r in recollections],
        ensure_ascii=False,
    )


def _recollections(text: str) -> tuple[Recollection, ...]:
    return tuple(
        Recollection(**(fields | {"created_at": moment(fields["created_at"])}))
        for fields in json.loads(text)
    )
