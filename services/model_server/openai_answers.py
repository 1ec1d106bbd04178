"""Answers in the shape of OpenAI's API, made of the lines of Ollama's."""

from __future__ import annotations

import base64
import json
import struct
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from services.model_server.answer import Line
from services.model_server.errors import ModelServerError

_TYPES = {400: "invalid_request_error", 404: "not_found_error"}
_FINGERPRINT = "fp_ollama"


def error_object(error: ModelServerError) -> Line:
    """An error as OpenAI's clients read it."""
    kind = _TYPES.get(error.status, "api_error")
    return {"error": {"message": str(error), "type": kind, "param": None, "code": None}}


class ChatCompletion:
    """One answer to a chat: whole, or in chunks."""

    prefix, object, chunk_object = "chatcmpl", "chat.completion", "chat.completion.chunk"

    def __init__(self, model: str) -> None:
        self._head = {
            "id": f"{self.prefix}-{uuid.uuid4().hex[:12]}",
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": _FINGERPRINT,
        }

    async def chunks(self, lines: AsyncIterator[Line], tells_usage: bool) -> AsyncIterator[Line]:
        """A chunk per line; the last but one says why it ended, the last what it took."""
        called = False
        async with aclosing(lines) as each:  # type: ignore[type-var]
            async for line in each:
                called = called or bool(self._calls(line))
                yield self._chunk([self._choice(line, called)])
                if line["done"] and tells_usage:
                    yield {**self._chunk([]), "usage": usage(line)}

    def whole(self, line: Line) -> Line:
        """The object that a request without `stream` gets."""
        message: Line = {"role": "assistant", "content": self._text(line)}
        if calls := self._calls(line):
            message["tool_calls"] = calls
        choice = {"index": 0, "message": message, "finish_reason": _reason(line, bool(calls))}
        return {**self._head, "object": self.object, "choices": [choice], "usage": usage(line)}

    def _choice(self, line: Line, called: bool) -> Line:
        delta: Line = {"role": "assistant", "content": self._text(line)}
        if calls := self._calls(line):
            delta["tool_calls"] = calls
        return {"index": 0, "delta": delta, "finish_reason": _reason(line, called)}

    def _chunk(self, choices: list[Line]) -> Line:
        return {**self._head, "object": self.chunk_object, "choices": choices}

    def _text(self, line: Line) -> str:
        return str(line["message"]["content"])

    def _calls(self, line: Line) -> list[Line]:
        calls = line["message"].get("tool_calls", [])
        return [_called(number, call["function"]) for number, call in enumerate(calls)]


class Completion(ChatCompletion):
    """One answer to a prompt."""

    prefix = "cmpl"
    object = chunk_object = "text_completion"

    def whole(self, line: Line) -> Line:
        """See ChatCompletion.whole."""
        choice = self._choice(line, False)
        return {**self._head, "object": self.object, "choices": [choice], "usage": usage(line)}

    def _choice(self, line: Line, called: bool) -> Line:
        return {"index": 0, "text": self._text(line), "finish_reason": _reason(line, called)}

    def _text(self, line: Line) -> str:
        return str(line["response"])

    def _calls(self, line: Line) -> list[Line]:
        return []


def usage(line: Line) -> dict[str, int]:
    """Tokens of a finished answer."""
    prompt, answer = line.get("prompt_eval_count", 0), line.get("eval_count", 0)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer,
    }


def embedding_list(answer: Line, model: str, encoding: str) -> Line:
    """Vectors; as base64 they are little-endian 32-bit floats."""
    tokens = answer["prompt_eval_count"]
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": place, "embedding": _encoded(vector, encoding)}
            for place, vector in enumerate(answer["embeddings"])
        ],
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def model_object(name: str, created: int) -> Line:
    """One model of a list."""
    return {"id": name, "object": "model", "created": created, "owned_by": "library"}


def _encoded(vector: list[float], encoding: str) -> list[float] | str:
    if encoding == "float":
        return vector
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _called(number: int, function: dict[str, Any]) -> Line:
    arguments = json.dumps(function["arguments"], ensure_ascii=False)
    return {
        "index": number,
        "id": f"call_{uuid.uuid4().hex[:8]}",
        "type": "function",
        "function": {"name": function["name"], "arguments": arguments},
    }


def _reason(line: Line, called: bool) -> str | None:
    if not line["done"]:
        return None
    return "tool_calls" if called else str(line.get("done_reason", "stop"))
