"""Answers in the shape of OpenAI's API."""

from __future__ import annotations

import base64
import struct
import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from services.gateway.refusals import Json
from services.gateway.speech import Delta, Finished

Events = AsyncGenerator[Delta | Finished, None]


class ChatCompletion:
    """One answer to a chat: whole, or in chunks; `batos` holds what OpenAI has no word for."""

    def __init__(self, model: str) -> None:
        self._head = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": model,
        }

    async def chunks(self, events: Events, tells_usage: bool) -> AsyncGenerator[Json, None]:
        """A chunk per piece, then why it ended; last, where that is wished, what it took."""
        role: Json = {"role": "assistant"}
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Delta):
                    yield self._chunk([_choice({**role, "content": event.text}, None)])
                    role = {}
                    continue
                yield {**self._chunk([_choice(role, "stop")]), "batos": dict(event.about)}
                if tells_usage:
                    yield {**self._chunk([]), "usage": usage(event)}

    async def whole(self, events: Events) -> AsyncGenerator[Json, None]:
        """The one object that a request without `stream` gets."""
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Finished):
                    message = {"role": "assistant", "content": event.text, "refusal": None}
                    choice = {"index": 0, "message": message, "finish_reason": "stop"}
                    yield {
                        **self._head,
                        "object": "chat.completion",
                        "choices": [{**choice, "logprobs": None}],
                        "usage": usage(event),
                        "batos": dict(event.about),
                    }

    def _chunk(self, choices: list[Json]) -> Json:
        return {**self._head, "object": "chat.completion.chunk", "choices": choices}


def _choice(delta: Json, reason: str | None) -> Json:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}


def usage(finished: Finished) -> Json:
    """Tokens of a turn, memories and earlier turns included."""
    prompt, answer = finished.prompt_tokens, finished.answer_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer,
    }


def model_object(name: str, created: int) -> Json:
    """A persona as one model of a list."""
    return {"id": name, "object": "model", "created": created, "owned_by": "batos"}


def embedding_list(
    vectors: Sequence[Sequence[float]], tokens: int, model: str, encoding: str
) -> Json:
    """Vectors; as base64 they are little-endian 32-bit floats."""
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": place, "embedding": _encoded(vector, encoding)}
            for place, vector in enumerate(vectors)
        ],
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _encoded(vector: Sequence[float], encoding: str) -> list[float] | str:
    if encoding == "float":
        return list(vector)
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
