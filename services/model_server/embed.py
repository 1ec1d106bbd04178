"""POST /api/embed and its older form, POST /api/embeddings."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from services.model_server.answer import Answer, Line
from services.model_server.errors import BadRequestError, ContextExceededError
from services.model_server.generation import chunk_error
from services.model_server.library import Library
from services.model_server.requests import EmbeddingsRequest, EmbedRequest
from services.model_server.runner import Runner

_MAX_CUTS = 8


async def embed(library: Library, request: EmbedRequest) -> Line:
    """One vector of length 1 per text, in the order of the texts."""
    answer = Answer(request.model)
    opened = await library.open(request.model)
    texts = [request.input] if isinstance(request.input, str) else request.input
    texts = [] if texts == [""] else texts
    options = opened.options(request.options)
    lease = await library.lease(opened, options, request.keep_alive, embedding=True)
    answer.loaded(lease.load_ns)
    truncate = request.truncate is not False
    future = library.answers.start(_embed_all, lease.runner, texts, truncate)
    future.add_done_callback(lambda _: lease.release())
    found = await asyncio.shield(future)
    vectors = [_shortened(vector, request.dimensions) for vector, _ in found]
    return {
        "model": request.model,
        "embeddings": vectors,
        **answer.durations(),
        "prompt_eval_count": sum(count for _, count in found),
    }


async def embeddings(library: Library, request: EmbeddingsRequest) -> Line:
    """The older form: one text, one vector."""
    newer = EmbedRequest(
        model=request.model,
        input=request.prompt or "",
        dimensions=None,
        options=request.options,
        keep_alive=request.keep_alive,
    )
    answer = await embed(library, newer)
    return {"embedding": answer["embeddings"][0] if answer["embeddings"] else []}


def _embed_all(runner: Runner, texts: list[str], truncate: bool) -> list[tuple[list[float], int]]:
    return [_embed_one(runner, text, truncate) for text in texts]


def _embed_one(runner: Runner, text: str, truncate: bool) -> tuple[list[float], int]:
    """The vector and the number of tokens; too long a text is cut at its end if that is wished.

    llama.cpp says by how much it is too long, so a few cuts in proportion are enough.
    """
    for _ in range(_MAX_CUTS):
        answer = runner.embed(text)
        if "error" not in answer:
            vector = [float(x) for x in answer["data"][0]["embedding"]]
            return _unit(vector), int(answer["usage"]["prompt_tokens"])
        error = chunk_error(answer["error"])
        if not truncate or not isinstance(error, ContextExceededError):
            raise error
        text = text[: _fitting(text, answer["error"])]
    raise BadRequestError("input length exceeds maximum context length")


def _fitting(text: str, error: dict[str, Any]) -> int:
    tokens, context = int(error["n_prompt_tokens"]), int(error["n_ctx"])
    return int(len(text) * context / tokens * 0.98)


def _shortened(vector: list[float], dimensions: int | None) -> list[float]:
    return _unit(vector[:dimensions]) if dimensions else vector


def _unit(vector: list[float]) -> list[float]:
    length = math.sqrt(math.fsum(x * x for x in vector))
    return [x / length for x in vector] if length else vector
