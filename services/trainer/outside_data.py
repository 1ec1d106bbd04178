"""Examples from elsewhere, in the three shapes that such data has, read row by row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from services.trainer.training_job import Message

MAX_ROW_BYTES = 65536
_SHAREGPT_ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "assistant": "assistant",
    "system": "system",
}


class Shape(Enum):
    """How a row is written."""

    MESSAGES = "messages"
    SHAREGPT = "sharegpt"
    ALPACA = "alpaca"


class RowRefused(Exception):
    """A row is no example; the message says why."""


@dataclass(frozen=True)
class OutsideExample:
    """A chat that ends with an answer; its own system message is left out."""

    messages: tuple[Message, ...]
    answer: str


def read_row(text: str, shape: Shape) -> OutsideExample:
    """One row of JSON; raises RowRefused."""
    if len(text.encode(errors="replace")) > MAX_ROW_BYTES:
        raise RowRefused(f"is longer than {MAX_ROW_BYTES} bytes")
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RowRefused(f"is not JSON: {error}") from None
    if not isinstance(row, dict):
        raise RowRefused("must be a JSON object")
    match shape:
        case Shape.MESSAGES:
            chat = _chat(row, "messages", "role", "content", {})
        case Shape.SHAREGPT:
            chat = _chat(row, "conversations", "from", "value", _SHAREGPT_ROLES)
        case Shape.ALPACA:
            chat = _alpaca(row)
    return _checked(chat)


def _chat(
    row: Mapping[str, Any], key: str, role_key: str, text_key: str, roles: Mapping[str, str]
) -> list[Message]:
    turns = row.get(key)
    if not isinstance(turns, list):
        raise RowRefused(f"has no list {key!r}")
    chat = []
    for number, turn in enumerate(turns, start=1):
        if not isinstance(turn, dict):
            raise RowRefused(f"{key}, {number}: must be an object")
        role = str(turn.get(role_key))
        chat.append(
            {"role": roles.get(role, role), "content": _text(turn, text_key, f"{key}, {number}")}
        )
    return chat


def _alpaca(row: Mapping[str, Any]) -> list[Message]:
    asked = _text(row, "instruction", "the row")
    if row.get("input"):
        asked += "\n\n" + _text(row, "input", "the row")
    return [
        {"role": "user", "content": asked},
        {"role": "assistant", "content": _text(row, "output", "the row")},
    ]


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        raise RowRefused(f"{where}: has no text in {key!r}")
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise RowRefused(f"{where}: {key!r} holds half a character")
    return value


def _checked(chat: list[Message]) -> OutsideExample:
    """User and assistant must take turns, and an answer must be the end."""
    spoken = [message for message in chat if message["role"] != "system"]
    for number, message in enumerate(spoken):
        expected = ("user", "assistant")[number % 2]
        if message["role"] != expected:
            raise RowRefused(f"turn {number + 1} is of {message['role']!r}, not of {expected!r}")
    if len(spoken) < 2 or spoken[-1]["role"] != "assistant":
        raise RowRefused("does not end with an assistant's answer")
    return OutsideExample(tuple(spoken[:-1]), spoken[-1]["content"])
