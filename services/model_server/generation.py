"""An answer as it comes: llama.cpp's chunks, carried from a thread to the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any

import structlog

from services.model_server import metrics
from services.model_server.errors import (
    BadRequestError,
    ContextExceededError,
    ModelServerError,
)
from services.model_server.loaded_model import Lease
from services.model_server.runner import Chunk, OnChunk
from services.model_server.workers import Workers

log = structlog.get_logger()

_MS_TO_NS = 1_000_000


@dataclass(frozen=True)
class Piece:
    """Some more of the answer; `tool_calls` and `logprobs` are shaped as OpenAI's."""

    text: str = ""
    thinking: str = ""
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    logprobs: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    """How an answer ended. Counts are in tokens, times in nanoseconds."""

    reason: str
    prompt_count: int
    prompt_ns: int
    answer_count: int
    answer_ns: int

    def metrics(self) -> dict[str, int]:
        """The statistics of Ollama's last line."""
        return {
            "prompt_eval_count": self.prompt_count,
            "prompt_eval_duration": self.prompt_ns,
            "eval_count": self.answer_count,
            "eval_duration": self.answer_ns,
        }


async def generate(
    workers: Workers, lease: Lease, call: Callable[[OnChunk], None]
) -> AsyncGenerator[Piece | Outcome, None]:
    """Run `call` in a thread and yield what it streams; the last item is the Outcome.

    The lease is released when the thread has ended. Closing the iterator early stops the
    answer at its next token. Errors of llama.cpp are raised as ModelServerError.
    """
    loop = asyncio.get_running_loop()
    chunks: asyncio.Queue[Chunk | None] = asyncio.Queue()
    stopped = threading.Event()

    def on_chunk(chunk: Chunk) -> bool:
        loop.call_soon_threadsafe(chunks.put_nowait, chunk)
        if stopped.is_set():
            log.info("answer_stopped")
        return stopped.is_set()

    future = workers.start(call, on_chunk)
    future.add_done_callback(lambda _: lease.release())
    future.add_done_callback(lambda _: chunks.put_nowait(None))
    try:
        while (chunk := await chunks.get()) is not None:
            item = read_chunk(chunk)
            if isinstance(item, Outcome):
                metrics.tokens.labels("prompt").inc(item.prompt_count)
                metrics.tokens.labels("answer").inc(item.answer_count)
            if item:
                yield item
    finally:
        stopped.set()
    _raise_failure(future)


def read_chunk(chunk: Chunk) -> Piece | Outcome | None:
    """What one streamed chunk says; None where it says nothing; raises what it reports."""
    if "error" in chunk:
        raise chunk_error(chunk["error"])
    choice = chunk["choices"][0] if chunk.get("choices") else {}
    if choice.get("finish_reason"):
        return _outcome(choice["finish_reason"], chunk.get("timings", {}))
    delta = choice.get("delta", {})
    text = choice.get("text") or delta.get("content") or ""
    thinking, calls = delta.get("reasoning_content") or "", delta.get("tool_calls") or []
    if not (text or thinking or calls):
        return None
    return Piece(text, thinking, calls, (choice.get("logprobs") or {}).get("content") or [])


def chunk_error(error: dict[str, Any]) -> ModelServerError:
    """The failure that llama.cpp reports in place of an answer."""
    message = str(error.get("message", "the model failed"))
    if error.get("type") == "exceed_context_size_error":
        return ContextExceededError("the input length exceeds the context length")
    return BadRequestError(message) if error.get("code") == 400 else ModelServerError(message)


def _outcome(reason: str, timings: dict[str, float]) -> Outcome:
    return Outcome(
        reason="length" if reason == "length" else "stop",
        prompt_count=int(timings.get("prompt_n", 0)) + int(timings.get("cache_n", 0)),
        prompt_ns=int(timings.get("prompt_ms", 0) * _MS_TO_NS),
        answer_count=int(timings.get("predicted_n", 0)),
        answer_ns=int(timings.get("predicted_ms", 0) * _MS_TO_NS),
    )


def _raise_failure(future: asyncio.Future[None]) -> None:
    """llama.cpp's bindings raise ValueError for a bad request and RuntimeError for the rest."""
    error = future.exception()
    if isinstance(error, ValueError):
        raise BadRequestError(str(error)) from error
    if isinstance(error, ModelServerError):
        raise error
    if error is not None:
        raise ModelServerError(f"the model failed: {error}") from error
