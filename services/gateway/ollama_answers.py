"""Answers in the shape of Ollama's API."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime

from services.gateway.refusals import Json
from services.gateway.speech import Delta, Finished, Persona

Events = AsyncGenerator[Delta | Finished, None]
_NANOSECONDS = 1_000_000_000


async def chat_lines(model: str, events: Events) -> AsyncGenerator[Json, None]:
    """A line per piece, and a last one that says what the turn took."""
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Delta):
                yield {**_line(model, event.text), "done": False}
            else:
                yield _last(model, "", event)


async def whole_chat(model: str, events: Events) -> AsyncGenerator[Json, None]:
    """The one object that a request with `stream: false` gets."""
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Finished):
                yield _last(model, event.text, event)


def loaded(model: str) -> Json:
    """The answer to a chat without messages, with which clients have a model loaded."""
    return {**_line(model, ""), "done": True, "done_reason": "load"}


def tag(persona: Persona, since: int) -> Json:
    """A persona as one model of a list."""
    name = f"{persona.name}:latest"
    return {
        "name": name,
        "model": name,
        "modified_at": _moment(since),
        "size": 0,
        "digest": _digest(persona),
        "details": _details(persona),
    }


def shown(persona: Persona, since: int) -> Json:
    """Everything about a persona."""
    options = sorted(persona.options.items())
    lines = [f"FROM {persona.model_tag}", f'SYSTEM """{persona.system_prompt}"""']
    lines += [f"PARAMETER {name} {value:g}" for name, value in options]
    return {
        "modelfile": "\n".join(lines) + "\n",
        "parameters": "\n".join(f"{name:<30} {value:g}" for name, value in options),
        "template": "{{ .Prompt }}",
        "system": persona.system_prompt,
        "details": _details(persona),
        "model_info": {
            "general.architecture": "batos",
            "general.basename": persona.name,
            "batos.model_generation": persona.generation,
        },
        "capabilities": ["completion"],
        "modified_at": _moment(since),
    }


def _last(model: str, text: str, finished: Finished) -> Json:
    first = min(finished.first_token_seconds, finished.wall_seconds)
    return {
        **_line(model, text),
        "done": True,
        "done_reason": "stop",
        "total_duration": round(finished.wall_seconds * _NANOSECONDS),
        "load_duration": 0,
        "prompt_eval_count": finished.prompt_tokens,
        "prompt_eval_duration": round(first * _NANOSECONDS),
        "eval_count": finished.answer_tokens,
        "eval_duration": round((finished.wall_seconds - first) * _NANOSECONDS),
        "batos": dict(finished.about),
    }


def _line(model: str, text: str) -> Json:
    message = {"role": "assistant", "content": text}
    return {"model": model, "created_at": _moment(), "message": message}


def _details(persona: Persona) -> Json:
    return {
        "parent_model": persona.model_tag,
        "format": "persona",
        "family": "batos",
        "families": ["batos"],
        "parameter_size": "",
        "quantization_level": "",
    }


def _digest(persona: Persona) -> str:
    """Changes with the persona's prompt and model, as a model's digest does with its files."""
    words = (persona.name, persona.system_prompt, persona.model_tag, persona.model_digest)
    return hashlib.sha256("\0".join(words).encode()).hexdigest()


def _moment(seconds: int | None = None) -> str:
    at = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return at.isoformat().replace("+00:00", "Z")
