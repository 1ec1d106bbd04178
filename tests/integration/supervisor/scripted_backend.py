"""A peer that speaks Ollama's HTTP API by a script: for what no real server does on demand.

It can stall, cut a stream, send garbage, hold video memory. It stands in for a misbehaving
server only; conversations are tested against the real one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.integration.scripted_peer import ScriptedPeer

Lines = AsyncIterator[bytes]


def piece(text: str) -> bytes:
    return json.dumps({"message": {"role": "assistant", "content": text}, "done": False}).encode()


def last() -> bytes:
    return json.dumps({"message": {"role": "assistant", "content": ""}, "done": True}).encode()


async def well_behaved() -> Lines:
    yield piece("Hello")
    yield piece(" there.")
    yield last()


class ScriptedBackend(ScriptedPeer):
    """`models` are tags and digests; `vram` tags and bytes; `say` makes the lines of an answer."""

    def __init__(self) -> None:
        self.models = {"starter:latest": "d0", "brick:run-1": "d1"}
        self.vram: dict[str, int] = {}
        self.holds_on = False
        self.say: Callable[[], Lines] = well_behaved
        self.refusal: Response | None = None
        self.warms = asyncio.Event()
        self.warms.set()
        self.chats: list[dict] = []
        self.unloaded: list[str] = []
        self.stopped = 0
        routes = [
            Route("/api/chat", self._chat, methods=["POST"]),
            Route("/api/generate", self._generate, methods=["POST"]),
            Route("/api/tags", self._tags),
            Route("/api/ps", self._ps),
        ]
        super().__init__(routes)

    async def _chat(self, request: Request) -> Response:
        chat = await request.json()
        self.chats.append(chat)
        if self.refusal is not None:
            return self.refusal
        if not chat.get("stream"):
            await self.warms.wait()
            return JSONResponse({"message": {"role": "assistant", "content": "H"}, "done": True})
        return StreamingResponse(self._lines(), media_type="application/x-ndjson")

    async def _lines(self) -> Lines:
        finished = False
        try:
            async for line in self.say():
                yield line + b"\n"
            finished = True
        finally:
            self.stopped += not finished

    async def _generate(self, request: Request) -> Response:
        body = await request.json()
        assert (body["prompt"], body["keep_alive"]) == ("", 0)
        self.unloaded.append(body["model"])
        if not self.holds_on:
            self.vram.pop(body["model"], None)
        return JSONResponse({"model": body["model"], "response": "", "done": True})

    async def _tags(self, request: Request) -> Response:
        models = [{"model": tag, "digest": digest} for tag, digest in self.models.items()]
        return JSONResponse({"models": models})

    async def _ps(self, request: Request) -> Response:
        models = [{"model": tag, "size": 9, "size_vram": held} for tag, held in self.vram.items()]
        return JSONResponse({"models": models})
