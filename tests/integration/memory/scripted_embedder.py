"""A peer that speaks `/api/embed` by a script: for faults that no real server shows on demand."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.integration.scripted_peer import ScriptedPeer

Answer = Callable[[list[str]], Response]


def plain(texts: list[str]) -> Response:
    """A vector of four numbers for each text."""
    return JSONResponse({"embeddings": [[3.0, 4.0, 0.0, float(len(text))] for text in texts]})


class ScriptedEmbedder(ScriptedPeer):
    """Has the one model "tiny". `answers` are used up in their order; then it is `plain`."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[list[str]] = []
        routes = [
            Route("/api/embed", self._embed, methods=["POST"]),
            Route("/api/tags", self._tags),
        ]
        super().__init__(routes)

    async def _embed(self, request: Request) -> Response:
        body = await request.json()
        assert (body["model"], body["truncate"]) == ("tiny", True)
        self.asked.append(body["input"])
        answer = self.answers.pop(0) if self.answers else plain
        return answer(body["input"])

    async def _tags(self, request: Request) -> Response:
        return JSONResponse({"models": [{"model": "tiny:latest", "digest": "sha256:" + "a1" * 32}]})
