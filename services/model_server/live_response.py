"""Answers that stop being made when nobody listens any more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import structlog
from starlette.types import Message, Receive, Scope, Send

from services.model_server.errors import ModelServerError, refusal
from services.model_server.openai_answers import error_object
from shared.llama_gguf.errors import BadModelError

log = structlog.get_logger()

Line = dict[str, Any]
Lines = AsyncIterator[Line]
_JSON = b"application/json; charset=utf-8"


@dataclass(frozen=True)
class Framing:
    """How lines become a body: what stands before and after each, what ends it, how errors look."""

    content_type: bytes
    before: bytes
    after: bytes
    end: bytes
    error: Callable[[ModelServerError], Line]


LINES = Framing(b"application/x-ndjson", b"", b"\n", b"", lambda error: {"error": str(error)})
EVENTS = Framing(b"text/event-stream", b"data: ", b"\n\n", b"data: [DONE]\n\n", error_object)


class LiveResponse:
    """An ASGI response made of JSON lines.

    With `whole`, all lines are made into one object first. A failure before the first line
    becomes an HTTP error, one after it a last line with the error. When the client goes, the
    lines' iterator is closed, which stops what makes them.
    """

    def __init__(
        self,
        lines: Lines,
        whole: Callable[[list[Line]], Line] | None = None,
        framing: Framing = LINES,
    ) -> None:
        self._lines, self._whole, self._framing = lines, whole, framing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the end, or until the client is gone."""
        work = asyncio.ensure_future(self._send(send))
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not work.done():
                work.cancel()
        try:
            await work
        except asyncio.CancelledError:
            log.info("client_gone", path=scope.get("path"))

    async def _send(self, send: Send) -> None:
        async with aclosing(self._lines) as lines:  # type: ignore[type-var]
            started = False
            try:
                if self._whole:
                    whole = self._whole([line async for line in lines])
                    await send_json(send, 200, whole)
                    return
                async for line in lines:
                    if not started:
                        await send(_start(200, self._framing.content_type))
                        started = True
                    await send(self._framed(line, more=True))
                await send({"type": "http.response.body", "body": self._framing.end})
            except (ModelServerError, BadModelError) as error:
                await self._send_error(send, refusal(error), started)
            except Exception:
                log.exception("request_failed")
                await self._send_error(send, ModelServerError("internal server error"), started)

    async def _send_error(self, send: Send, error: ModelServerError, started: bool) -> None:
        told = self._framing.error(error)
        if started:
            await send(self._framed(told, more=False))
        else:
            await send_json(send, error.status, told)

    def _framed(self, line: Line, *, more: bool) -> Message:
        data = self._framing.before + _encoded(line) + self._framing.after
        return {"type": "http.response.body", "body": data, "more_body": more}


async def send_json(send: Send, status: int, value: Line) -> None:
    """One JSON object as the whole response."""
    await send(_start(status, _JSON))
    await send({"type": "http.response.body", "body": _encoded(value) + b"\n"})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _start(status: int, kind: bytes) -> Message:
    headers = [(b"content-type", kind)]
    return {"type": "http.response.start", "status": status, "headers": headers}


def _encoded(line: Line) -> bytes:
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode()
