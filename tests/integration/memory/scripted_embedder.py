"""A peer that speaks `/api/embed` by a script: for faults that no real server shows on demand."""

import asyncio
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Answer = Callable[[list[str]], Response]


def plain(texts: list[str]) -> Response:
    """A vector of four numbers for each text."""
    return JSONResponse({"embeddings": [[3.0, 4.0, 0.0, float(len(text))] for text in texts]})


class ScriptedEmbedder:
    """Has the one model "tiny". `answers` are used up in their order; then it is `plain`."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[list[str]] = []
        routes = [
            Route("/api/embed", self._embed, methods=["POST"]),
            Route("/api/tags", self._tags),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes), host="127.0.0.1", port=0, log_level="error", lifespan="off"
        )
        self._server = uvicorn.Server(config)

    async def start(self) -> None:
        self._serving = asyncio.create_task(self._server.serve())
        while not self._server.started:
            await asyncio.sleep(0.01)
        (socket,) = self._server.servers[0].sockets
        self.url = f"http://127.0.0.1:{socket.getsockname()[1]}"

    async def stop(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        await self._serving

    async def _embed(self, request: Request) -> Response:
        body = await request.json()
        assert (body["model"], body["truncate"]) == ("tiny", True)
        self.asked.append(body["input"])
        answer = self.answers.pop(0) if self.answers else plain
        return answer(body["input"])

    async def _tags(self, request: Request) -> Response:
        return JSONResponse({"models": [{"model": "tiny:latest", "digest": "sha256:" + "a1" * 32}]})
