"""Training rows as files hold them: JSON lines, gzipped or not."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.trainer.engine import EngineError
from services.trainer.training_job import Message

_ROLES = {"system", "user", "assistant", "tool"}


@dataclass(frozen=True)
class Row:
    """A chat and the answer to learn; `tools` could be called."""

    prompt: tuple[Message, ...]
    completion: Message
    tools: tuple[dict[str, Any], ...] = ()


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a file in order; EngineError (BAD_DATASET) names the first faulty line."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                yield _row(line, f"{path.name}, line {number}")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise EngineError("BAD_DATASET", f"{path.name} cannot be read: {error}") from error


def sample_rows(path: Path, count: int, seed: int) -> list[Row]:
    """Up to `count` rows, each as likely as any other (Vitter's algorithm R)."""
    draw = random.Random(seed)
    kept: list[Row] = []
    for number, row in enumerate(read_rows(path)):
        if len(kept) < count:
            kept.append(row)
        elif (place := draw.randrange(number + 1)) < count:
            kept[place] = row
    return kept


def _row(line: str, where: str) -> Row:
    try:
        value = json.loads(line)
        messages = value.get("messages") or [*value["prompt"], *value["completion"]]
        checked = [_message(message) for message in messages]
        tools = tuple(map(dict, value.get("tools", ())))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise EngineError("BAD_DATASET", f"{where}: not a chat ({error})") from error
    if len(checked) < 2 or checked[-1]["role"] != "assistant":
        raise EngineError("BAD_DATASET", f"{where}: does not end with an assistant's answer")
    return Row(tuple(checked[:-1]), checked[-1], tools)


def _message(value: dict[str, Any]) -> Message:
    role, content = value["role"], value["content"]
    if role not in _ROLES or not isinstance(content, str):
        raise ValueError(f"a message of role {role!r}")
    message: Message = {"role": role, "content": content}
    if "name" in value:
        message["name"] = str(value["name"])
    if "tool_calls" in value:
        message["tool_calls"] = [_call(call["function"]) for call in value["tool_calls"]]
    return message


def _call(function: dict[str, Any]) -> dict[str, Any]:
    name, arguments = function["name"], function["arguments"]
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise ValueError("a call without a name or arguments")
    return {"type": "function", "function": {"name": name, "arguments": arguments}}
