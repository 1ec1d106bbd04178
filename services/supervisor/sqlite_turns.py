"""Turns as rows of SQLite."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from services.supervisor.persona import ModelPointer
from services.supervisor.soma import Rating, Recollection, Turn
from services.supervisor.sqlite_journal import micros, moment
from services.supervisor.tools import Offer, Outcome, ToolCall

INSERT = """
INSERT INTO turns VALUES (
    :soma_id, :number, :request_id, :payload_sha256, :user_text, :assistant_text, :system_text,
    :recollections, :tag, :digest, :generation, :created_at, :first_token_us, :wall_us,
    :recall_unavailable, :rating, :correction, :tools, :tool_calls, :tools_unavailable,
    :prompt_tokens, :answer_tokens
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
        "tools": _json([asdict(offer) for offer in turn.tools]),
        "tool_calls": _json([asdict(call) for call in turn.tool_calls]),
        "tools_unavailable": int(turn.tools_unavailable),
        "prompt_tokens": turn.prompt_tokens,
        "answer_tokens": turn.answer_tokens,
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
        tools=tuple(Offer(**fields) for fields in json.loads(row["tools"])),
        tool_calls=tuple(_tool_call(fields) for fields in json.loads(row["tool_calls"])),
        tools_unavailable=bool(row["tools_unavailable"]),
        prompt_tokens=row["prompt_tokens"],
        answer_tokens=row["answer_tokens"],
    )


def _written(recollections: Sequence[Recollection]) -> str:
    return _json([asdict(r) | {"created_at": micros(r.created_at)} for r in recollections])


def _json(values: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps(values, ensure_ascii=False)


def _tool_call(fields: dict[str, Any]) -> ToolCall:
    return ToolCall(**(fields | {"outcome": Outcome(fields["outcome"])}))


def _recollections(text: str) -> tuple[Recollection, ...]:
    return tuple(
        Recollection(**(fields | {"created_at": moment(fields["created_at"])}))
        for fields in json.loads(text)
    )
