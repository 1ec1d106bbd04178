"""The routes of OpenAI's API that Ollama has (https://docs.ollama.com/api/openai-compatibility)."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.model_server.answer import Line
from services.model_server.chat import chat, whole_chat
from services.model_server.embed import embed
from services.model_server.generate import complete, whole_completion
from services.model_server.library import Library
from services.model_server.live_response import EVENTS, Lines, LiveResponse
from services.model_server.openai_answers import (
    ChatCompletion,
    Completion,
    embedding_list,
    model_object,
)
from services.model_server.openai_requests import (
    ChatCompletionRequest,
    CompletionRequest,
    EmbeddingRequest,
)
from services.model_server.requests import read_body


class OpenAIApi:
    """One method per route, each in terms of Ollama's own."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def routes(self) -> list[Route]:
        """All routes, below /v1."""
        return [
            Route("/v1/chat/completions", self.chat_completions, methods=["POST"]),
            Route("/v1/completions", self.completions, methods=["POST"]),
            Route("/v1/embeddings", self.embeddings, methods=["POST"]),
            Route("/v1/models", self.models, methods=["GET"]),
            Route("/v1/models/{name:path}", self.model, methods=["GET"]),
        ]

    async def chat_completions(self, request: Request) -> LiveResponse:
        """POST /v1/chat/completions."""
        body = await read_body(request, ChatCompletionRequest)
        answer, lines = ChatCompletion(body.model), chat(self._library, body.chat())
        return _response(body, answer, lines, whole_chat)

    async def completions(self, request: Request) -> LiveResponse:
        """POST /v1/completions."""
        body = await read_body(request, CompletionRequest)
        answer, lines = Completion(body.model), complete(self._library, body.generate())
        return _response(body, answer, lines, whole_completion)

    async def embeddings(self, request: Request) -> Response:
        """POST /v1/embeddings."""
        body = await read_body(request, EmbeddingRequest)
        answer = await embed(self._library, body.embed())
        return JSONResponse(embedding_list(answer, body.model, body.encoding_format))

    async def models(self, _: Request) -> Response:
        """GET /v1/models."""
        stored = await self._library.disk.run(self._library.store.models)
        data = [model_object(str(m.name), int(m.modified_at.timestamp())) for m in stored]
        return JSONResponse({"object": "list", "data": data})

    async def model(self, request: Request) -> Response:
        """GET /v1/models/{name}."""
        name = request.path_params["name"]
        stored = (await self._library.open(name)).stored
        return JSONResponse(model_object(name, int(stored.modified_at.timestamp())))


def _response(
    body: ChatCompletionRequest | CompletionRequest,
    answer: ChatCompletion,
    lines: Lines,
    whole: Callable[[list[Line]], Line],
) -> LiveResponse:
    if body.stream:
        return LiveResponse(answer.chunks(lines, body.tells_usage), framing=EVENTS)
    return LiveResponse(lines, lambda all_lines: answer.whole(whole(all_lines)), framing=EVENTS)
