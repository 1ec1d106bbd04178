"""The routes of Ollama's HTTP API (https://github.com/ollama/ollama/blob/main/docs/api.md)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from services.model_server import listing
from services.model_server.chat import chat, whole_chat
from services.model_server.creation import create
from services.model_server.embed import embed, embeddings
from services.model_server.errors import ModelServerError, refusal
from services.model_server.generate import complete, whole_completion
from services.model_server.library import Library
from services.model_server.live_response import EVENTS, LINES, Framing, LiveResponse
from services.model_server.local_callers import LocalCallers
from services.model_server.model_name import ModelName
from services.model_server.openai_api import OpenAIApi
from services.model_server.registry import pull, push
from services.model_server.requests import (
    ChatRequest,
    CopyRequest,
    CreateRequest,
    DeleteRequest,
    EmbeddingsRequest,
    EmbedRequest,
    GenerateRequest,
    PullRequest,
    ShowRequest,
    read_body,
)
from shared.http_metrics import Measured
from shared.llama_gguf.errors import BadModelError

log = structlog.get_logger()

VERSION = "0.12.6"
"""The version of Ollama whose API this is; clients compare it."""


class Api:
    """One method per route; what they do is in the modules that they call."""

    def __init__(self, library: Library) -> None:
        self._library = library

    async def chat(self, request: Request) -> LiveResponse:
        """POST /api/chat."""
        body = await read_body(request, ChatRequest)
        whole = whole_chat if body.stream is False else None
        return LiveResponse(chat(self._library, body), whole)

    async def generate(self, request: Request) -> LiveResponse:
        """POST /api/generate."""
        body = await read_body(request, GenerateRequest)
        whole = whole_completion if body.stream is False else None
        return LiveResponse(complete(self._library, body), whole)

    async def embed(self, request: Request) -> Response:
        """POST /api/embed."""
        return JSONResponse(await embed(self._library, await read_body(request, EmbedRequest)))

    async def embeddings(self, request: Request) -> Response:
        """POST /api/embeddings."""
        body = await read_body(request, EmbeddingsRequest)
        return JSONResponse(await embeddings(self._library, body))

    async def has_blob(self, request: Request) -> Response:
        """HEAD /api/blobs/{digest}."""
        blobs = self._library.store.blobs
        found = await self._library.disk.run(blobs.has, request.path_params["digest"])
        return Response(status_code=200 if found else 404)

    async def upload_blob(self, request: Request) -> Response:
        """POST /api/blobs/{digest}."""
        digest, disk = request.path_params["digest"], self._library.disk
        blobs = self._library.store.blobs
        if await disk.run(blobs.has, digest):
            return Response(status_code=200)
        with await disk.run(blobs.upload) as upload:
            async for piece in request.stream():
                await disk.run(upload.write, piece)
            await disk.run(upload.commit, digest)
        return Response(status_code=201)

    async def create(self, request: Request) -> LiveResponse:
        """POST /api/create."""
        body = await read_body(request, CreateRequest)
        return LiveResponse(self._creation(body), _last if body.stream is False else None)

    async def _creation(self, body: CreateRequest) -> AsyncGenerator[dict[str, Any], None]:
        loop = asyncio.get_running_loop()
        statuses: asyncio.Queue[str | None] = asyncio.Queue()

        def report(status: str) -> None:
            loop.call_soon_threadsafe(statuses.put_nowait, status)

        future = self._library.disk.start(create, self._library.store, body, report)
        future.add_done_callback(lambda _: statuses.put_nowait(None))
        while (status := await statuses.get()) is not None:
            yield {"status": status}
        await future

    async def tags(self, _: Request) -> Response:
        """GET /api/tags."""
        return JSONResponse(await listing.tags(self._library))

    async def processes(self, _: Request) -> Response:
        """GET /api/ps."""
        return JSONResponse(listing.processes(self._library))

    async def show(self, request: Request) -> Response:
        """POST /api/show."""
        return JSONResponse(
            await listing.show(self._library, await read_body(request, ShowRequest))
        )

    async def copy(self, request: Request) -> Response:
        """POST /api/copy."""
        body = await read_body(request, CopyRequest)
        await self._library.disk.run(self._copy, body)
        return Response(status_code=200)

    def _copy(self, body: CopyRequest) -> None:
        store = self._library.store
        store.put(ModelName.parse(body.destination), store.get(body.source).manifest)

    async def pull(self, request: Request) -> LiveResponse:
        """POST /api/pull."""
        body = await read_body(request, PullRequest)
        return LiveResponse(pull(self._library, body), _last if body.stream is False else None)

    async def push(self, request: Request) -> LiveResponse:
        """POST /api/push."""
        body = await read_body(request, PullRequest)
        return LiveResponse(push(self._library, body), _last if body.stream is False else None)

    async def delete(self, request: Request) -> Response:
        """DELETE /api/delete."""
        opened = await self._library.open((await read_body(request, DeleteRequest)).model)
        await self._library.disk.run(self._library.store.delete, opened.asked)
        await self._library.unload(opened)
        return Response(status_code=200)


def _last(lines: list[dict[str, Any]]) -> dict[str, Any]:
    return lines[-1]


async def _alive(_: Request) -> Response:
    return PlainTextResponse("Ollama is running")


async def _version(_: Request) -> Response:
    return JSONResponse({"version": VERSION})


async def _refused(request: Request, error: Exception) -> Response:
    known = refusal(error)
    return JSONResponse(_framing(request).error(known), status_code=known.status)


async def _failed(request: Request, error: Exception) -> Response:
    log.error("request_failed", path=request.url.path, exc_info=error)
    told = _framing(request).error(ModelServerError("internal server error"))
    return JSONResponse(told, status_code=500)


def _framing(request: Request) -> Framing:
    """Clients of OpenAI's API expect errors in its shape."""
    return EVENTS if request.url.path.startswith("/v1/") else LINES


async def _client_gone(request: Request, _: Exception) -> Response:
    log.info("client_gone", path=request.url.path)
    return Response(status_code=499)


def build_app(library: Library) -> Starlette:
    """All routes over one library."""
    api = Api(library)
    routes = [
        Route("/", _alive, methods=["GET"]),
        Route("/api/version", _version, methods=["GET"]),
        Route("/api/chat", api.chat, methods=["POST"]),
        Route("/api/generate", api.generate, methods=["POST"]),
        Route("/api/embed", api.embed, methods=["POST"]),
        Route("/api/embeddings", api.embeddings, methods=["POST"]),
        Route("/api/blobs/{digest}", api.has_blob, methods=["HEAD"]),
        Route("/api/blobs/{digest}", api.upload_blob, methods=["POST"]),
        Route("/api/create", api.create, methods=["POST"]),
        Route("/api/tags", api.tags, methods=["GET"]),
        Route("/api/ps", api.processes, methods=["GET"]),
        Route("/api/show", api.show, methods=["POST"]),
        Route("/api/pull", api.pull, methods=["POST"]),
        Route("/api/push", api.push, methods=["POST"]),
        Route("/api/copy", api.copy, methods=["POST"]),
        Route("/api/delete", api.delete, methods=["DELETE"]),
        *OpenAIApi(library).routes(),
    ]
    handlers = {
        ModelServerError: _refused,
        BadModelError: _refused,
        ClientDisconnect: _client_gone,
        Exception: _failed,
    }
    return Starlette(
        routes=routes,
        exception_handlers=handlers,
        middleware=[
            Middleware(Measured, paths=[route.path for route in routes]),
            Middleware(LocalCallers),
        ],
    )
