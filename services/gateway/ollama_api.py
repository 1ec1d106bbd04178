"""The routes of Ollama's API (https://github.com/ollama/ollama/blob/main/docs/api.md)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from services.gateway.body import read_body
from services.gateway.doors import Backs, call_of, told
from services.gateway.live_response import LINES, LiveResponse
from services.gateway.ollama_answers import chat_lines, loaded, shown, tag, whole_chat
from services.gateway.ollama_requests import ChatRequest, ShowRequest

VERSION = "0.12.6"
"""The version of Ollama whose API this is; clients compare it."""


class OllamaApi:
    """One method per route."""

    def __init__(self, backs: Backs) -> None:
        self._backs = backs

    def routes(self) -> list[Route]:
        """All routes, at / and below /api."""
        return [
            Route("/", self.alive, methods=["GET"]),
            Route("/api/version", self.version, methods=["GET"]),
            Route("/api/tags", self.tags, methods=["GET"]),
            Route("/api/show", self.show, methods=["POST"]),
            Route("/api/chat", self.chat, methods=["POST"]),
        ]

    async def alive(self, _: Request) -> Response:
        """GET and HEAD /, by which clients look for an Ollama."""
        return PlainTextResponse("Ollama is running")

    async def version(self, _: Request) -> Response:
        """GET /api/version."""
        return JSONResponse({"version": VERSION})

    async def tags(self, _: Request) -> Response:
        """GET /api/tags."""
        personas = await self._backs.supervisor.personas()
        return JSONResponse({"models": [tag(each, self._backs.since) for each in personas]})

    async def show(self, request: Request) -> Response:
        """POST /api/show."""
        body = await read_body(request, ShowRequest)
        persona = await self._backs.supervisor.persona(body.model)
        return JSONResponse(shown(persona, self._backs.since))

    async def chat(self, request: Request) -> Response | LiveResponse:
        """POST /api/chat."""
        body = await read_body(request, ChatRequest)
        if not body.messages:
            await self._backs.supervisor.persona(body.model)
            return JSONResponse(loaded(body.model))
        dialogue = body.dialogue()
        placed = await self._backs.conversations.place(call_of(request, body.model, dialogue))
        events = self._backs.conversations.answer(placed)
        whole = body.stream is False
        lines = whole_chat(body.model, events) if whole else chat_lines(body.model, events)
        return LiveResponse(lines, LINES, whole=whole, headers=told(placed, body.ignored(dialogue)))
