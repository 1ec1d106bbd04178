"""Messages of Ollama's API as a request to llama.cpp."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from services.model_server.errors import BadRequestError
from services.model_server.go_template import go_template, is_go_template
from services.model_server.library import Opened
from services.model_server.requests import Format, Message
from services.model_server.runner import Chunk, OnChunk, Runner

_ROLES = ("system", "user", "assistant", "tool")


def with_defaults(opened: Opened, messages: list[Message]) -> list[Message]:
    """Put the tag's system text and example turns before a chat that brings no system text."""
    manifest = opened.stored.manifest
    examples = [Message.model_validate(message) for message in manifest.messages]
    messages = examples + messages
    if manifest.system and messages[0].role != "system":
        return [Message(role="system", content=manifest.system), *messages]
    return messages


def openai_message(message: Message) -> dict[str, Any]:
    """One turn in OpenAI's form; BadRequestError for an unknown role or an image."""
    if message.role not in _ROLES:
        raise BadRequestError(f"invalid role {message.role!r}: use one of {', '.join(_ROLES)}")
    if message.images:
        raise BadRequestError("this model does not support images")
    turn: dict[str, Any] = {"role": message.role, "content": message.content or ""}
    if message.tool_name:
        turn["name"] = message.tool_name
    if message.tool_calls:
        turn["tool_calls"] = [
            {
                "id": f"call_{number}",
                "type": "function",
                "function": {
                    "name": call.function.name,
                    "arguments": json.dumps(call.function.arguments),
                },
            }
            for number, call in enumerate(message.tool_calls)
        ]
    return turn


def answer_format(wanted: Format) -> dict[str, Any]:
    """The fields that hold an answer to JSON, or to a JSON schema."""
    if not wanted:
        return {}
    return {"json_schema": {"type": "object"} if wanted == "json" else wanted}


def chat_call(runner: Runner, request: dict[str, Any], template: str) -> Callable[[OnChunk], None]:
    """Chat, and where the prompt exceeds the context, forget the oldest turns until it fits.

    System texts and the last turn stay; if these alone are too long, the error stays too. A
    Go template is rendered here, a Jinja one by llama.cpp.
    """

    def ask(messages: list[dict[str, Any]], on_chunk: OnChunk) -> None:
        if is_go_template(template):
            others = {k: v for k, v in request.items() if k not in ("messages", "tools")}
            prompt = go_template(template).render(messages, request.get("tools", ()))
            runner.complete({**others, "prompt": prompt}, on_chunk)
        else:
            runner.chat({**request, "messages": messages}, on_chunk)

    def call(on_chunk: OnChunk) -> None:
        messages = list(request["messages"])
        while True:
            fewer = _without_oldest(messages)
            overflowed = False

            def watch(chunk: Chunk, can_retry: bool = fewer is not None) -> bool:
                nonlocal overflowed
                overflowed = can_retry and _is_overflow(chunk)
                return overflowed or on_chunk(chunk)

            ask(messages, watch)
            if not overflowed or fewer is None:
                return
            messages = fewer

    return call


def _is_overflow(chunk: Chunk) -> bool:
    return bool(chunk.get("error", {}).get("type") == "exceed_context_size_error")


def _without_oldest(messages: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    for number, message in enumerate(messages[:-1]):
        if message["role"] != "system":
            return messages[:number] + messages[number + 1 :]
    return None
