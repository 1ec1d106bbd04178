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


def calls(*named: tuple[str, dict]) -> bytes:
    """A piece that asks for calls, as Ollama streams them."""
    asked = [{"function": {"name": name, "arguments": given}} for name, given in named]
    message = {"role": "assistant", "content": "", "tool_calls": asked}
    return json.dumps({"message": message, "done": False}).encode()


async def well_behaved() -> Lines:
    yield piece("Hello")
    yield piece(" there.")
    yield last()


class ScriptedBackend(ScriptedPeer):
    """`models` are tags and digests; `vram` tags and bytes; `say` makes the lines of an answer.

    `script` holds the lines of the next answers, which come before what `say` makes.
    """

    def __init__(self) -> None:
        self.models = {"starter:latest": "d0", "brick:run-1": "d1"}
        self.vram: dict[str, int] = {}
        self.holds_on = False
        self.say: Callable[[], Lines] = well_behaved
        self.script: list[list[bytes]] = []
        self.capabilities = ["completion", "tools"]
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
            Route("/api/show", self._show, methods=["POST"]),
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
            async for line in self._next_answer():
                yield line + b"\n"
            finished = True
        finally:
            self.stopped += not finished

    async def _next_answer(self) -> Lines:
        """The next answer of the script; without one, what `say` says."""
        if not self.script:
            async for line in self.say():
                yield line
            return
        for line in self.script.pop(0):
            yield line

    async def _generate(self, request: Request) -> Response:
        body = await request.json()
        assert (body["prompt"], body["keep_alive"]) == ("", 0)
        self.unloaded.append(body["model"])
        if not self.holds_on:
            self.vram.pop(body["model"], None)
        return JSONResponse({"model": body["model"], "response": "", "done": True})

    async def _show(self, request: Request) -> Response:
        return JSONResponse({"capabilities": self.capabilities, "model_info": {}})

    async def _tags(self, request: Request) -> Response:
        models = [{"model": tag, "digest": digest} for tag, digest in self.models.items()]
        return JSONResponse({"models": models})

    async def _ps(self, request: Request) -> Response:
        models = [{"model": tag, "size": 9, "size_vram": held} for tag, held in self.vram.items()]
        return JSONResponse({"models": models})
