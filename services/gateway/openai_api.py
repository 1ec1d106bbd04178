"""The routes of OpenAI's API (https://platform.openai.com/docs/api-reference)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.gateway.body import read_body
from services.gateway.doors import Backs, call_of, told
from services.gateway.live_response import EVENTS, LiveResponse
from services.gateway.openai_answers import ChatCompletion, embedding_list, model_object
from services.gateway.openai_requests import ChatCompletionRequest, EmbeddingRequest


class OpenAIApi:
    """One method per route."""

    def __init__(self, backs: Backs) -> None:
        self._backs = backs

    def routes(self) -> list[Route]:
        """All routes, below /v1."""
        return [
            Route("/v1/chat/completions", self.chat_completions, methods=["POST"]),
            Route("/v1/embeddings", self.embeddings, methods=["POST"]),
            Route("/v1/models", self.models, methods=["GET"]),
            Route("/v1/models/{name:path}", self.model, methods=["GET"]),
        ]

    async def chat_completions(self, request: Request) -> LiveResponse:
        """POST /v1/chat/completions."""
        body = await read_body(request, ChatCompletionRequest)
        dialogue = body.dialogue()
        placed = await self._backs.conversations.place(call_of(request, body.model, dialogue))
        events = self._backs.conversations.answer(placed)
        answer = ChatCompletion(body.model)
        lines = answer.chunks(events, body.tells_usage) if body.stream else answer.whole(events)
        headers = told(placed, body.ignored(dialogue))
        return LiveResponse(lines, EVENTS, whole=not body.stream, headers=headers)

    async def embeddings(self, request: Request) -> Response:
        """POST /v1/embeddings, by a model of the backend."""
        body = await read_body(request, EmbeddingRequest)
        vectors, tokens = await self._backs.embeddings.embed(
            body.model, body.texts(), body.dimensions
        )
        return JSONResponse(embedding_list(vectors, tokens, body.model, body.encoding_format))

    async def models(self, _: Request) -> Response:
        """GET /v1/models."""
        personas = await self._backs.supervisor.personas()
        data = [model_object(persona.name, self._backs.since) for persona in personas]
        return JSONResponse({"object": "list", "data": data})

    async def model(self, request: Request) -> Response:
        """GET /v1/models/{name}."""
        persona = await self._backs.supervisor.persona(request.path_params["name"])
        return JSONResponse(model_object(persona.name, self._backs.since))
