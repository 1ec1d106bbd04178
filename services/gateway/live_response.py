"""Answers that stop being made when nobody listens any more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass

import structlog
from starlette.types import Message, Receive, Scope, Send

from services.gateway.refusals import Json, headers_of, ollama_error, openai_error, status_of
from shared.errors import BatosError, Internal

log = structlog.get_logger()

Lines = AsyncGenerator[Json, None]
_JSON = "application/json; charset=utf-8"


@dataclass(frozen=True)
class Framing:
    """How lines become a body: what stands before and after each, what ends it, how errors look."""

    content_type: str
    before: bytes
    after: bytes
    end: bytes
    error: Callable[[BatosError], Json]


LINES = Framing("application/x-ndjson", b"", b"\n", b"", ollama_error)
EVENTS = Framing("text/event-stream", b"data: ", b"\n\n", b"data: [DONE]\n\n", openai_error)


def framing_of(path: str) -> Framing:
    """The words of the API that a path belongs to."""
    return EVENTS if path.startswith("/v1") else LINES


class LiveResponse:
    """An ASGI response made of JSON lines; whole, it is the only one.

    A failure before the first line becomes an HTTP error, one after it a last line with the error.
    When the client goes, the lines' generator is closed, which stops what makes them.
    """

    def __init__(
        self,
        lines: Lines,
        framing: Framing,
        *,
        whole: bool,
        headers: Callable[[Json], Mapping[str, str]],
    ) -> None:
        self._lines, self._framing = lines, framing
        self._whole, self._headers = whole, headers

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
        started = False
        try:
            async with aclosing(self._lines) as lines:
                async for line in lines:
                    if self._whole:
                        await send_json(send, 200, line, self._headers(line))
                        return
                    if not started:
                        headers = self._headers(line)
                        await send(_start(200, self._framing.content_type, headers))
                        started = True
                    await send(self._framed(line, more=True))
            await send({"type": "http.response.body", "body": self._framing.end})
        except BatosError as error:
            await self._send_error(send, error, started)
        except Exception:
            log.exception("request_failed")
            await self._send_error(send, Internal("internal server error"), started)

    async def _send_error(self, send: Send, error: BatosError, started: bool) -> None:
        if started:
            await send(self._framed(self._framing.error(error), more=False))
        else:
            await send_error(send, error, self._framing)

    def _framed(self, line: Json, *, more: bool) -> Message:
        data = self._framing.before + _encoded(line) + self._framing.after
        return {"type": "http.response.body", "body": data, "more_body": more}


async def send_error(send: Send, error: BatosError, framing: Framing) -> None:
    """An error as the whole response."""
    await send_json(send, status_of(error), framing.error(error), headers_of(error))


async def send_json(send: Send, status: int, value: Json, headers: Mapping[str, str]) -> None:
    """One JSON object as the whole response."""
    await send(_start(status, _JSON, headers))
    await send({"type": "http.response.body", "body": _encoded(value) + b"\n"})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _start(status: int, kind: str, headers: Mapping[str, str]) -> Message:
    raw = [(b"content-type", kind.encode())]
    raw += [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": raw}


def _encoded(line: Json) -> bytes:
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode()
