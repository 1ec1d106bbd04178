"""One loaded model: llama.cpp servers that answer one request each.

Every server has a single slot and evaluates every prompt afresh. llama.cpp can share one
batch among several requests and can reuse the start of an earlier prompt, but either picks
other kernels, and the last bits of the sums then depend on what else was asked: with the
8-bit and 16-bit test models greedy answers changed. So answers run side by side in servers of
their own, which share the file's pages (weights are mapped, not copied), and a seed or a
temperature of 0 means the same answer each time. What that costs is in ADR 10.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xllamacpp

from services.model_server.errors import LoadError

Chunk = dict[str, Any]
OnChunk = Callable[[Chunk], bool]
"""Takes one chunk of an answer; returns True to stop it."""


@dataclass(frozen=True)
class RunnerSpec:
    """How a model is loaded. `context` is in tokens; `chat_template` is Jinja or empty.

    `adapters` are LoRA adapters in GGUF, each applied in full.
    """

    path: Path
    context: int
    threads: int
    embedding: bool = False
    pooling_known: bool = False
    chat_template: str = ""
    adapters: tuple[Path, ...] = ()


class Runner:
    """Every method blocks: call them in threads, several at once if wished."""

    def __init__(self, spec: RunnerSpec) -> None:
        self._spec = spec
        self._lock = threading.Lock()
        self._idle: list[xllamacpp.Server] = []
        started = time.monotonic_ns()
        self._idle.append(_open(spec))
        self.load_ns = time.monotonic_ns() - started

    @property
    def context(self) -> int:
        """Tokens that a prompt and its answer may have together."""
        return self._spec.context

    def chat(self, request: dict[str, Any], on_chunk: OnChunk) -> None:
        """Stream an OpenAI-shaped chat completion."""
        with self._server() as server:
            server.handle_chat_completions(_streamed(request), on_chunk)

    def complete(self, request: dict[str, Any], on_chunk: OnChunk) -> None:
        """Stream an OpenAI-shaped text completion of `prompt` as it is."""
        with self._server() as server:
            server.handle_completions(_streamed(request), on_chunk)

    def embed(self, text: str) -> Chunk:
        """An OpenAI-shaped embedding of one text, or `{"error": ...}`."""
        with self._server() as server:
            answer: Chunk = server.handle_embeddings({"input": [text], "encoding_format": "float"})
            return answer

    def close(self) -> None:
        """Free the memory. No call may be running."""
        with self._lock:
            self._idle.clear()

    @contextmanager
    def _server(self) -> Iterator[xllamacpp.Server]:
        with self._lock:
            server = self._idle.pop() if self._idle else None
        server = server or _open(self._spec)
        try:
            yield server
        finally:
            with self._lock:
                self._idle.append(server)


def _streamed(request: dict[str, Any]) -> dict[str, Any]:
    return {**request, "stream": True, "cache_prompt": False}


def _open(spec: RunnerSpec) -> xllamacpp.Server:
    """LoadError where llama.cpp refuses the file; it logs why."""
    params = xllamacpp.CommonParams()
    params.model.path = str(spec.path)
    params.n_ctx, params.n_parallel = spec.context, 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = spec.threads
    params.use_jinja = True
    params.chat_template = spec.chat_template
    params.no_extra_bufts = True  # repacked weights would be a copy for each server
    params.warmup = False
    params.endpoint_metrics = True
    params.cache_ram_mib = 0
    params.lora_adapters = [
        xllamacpp.CommonAdapterLoraInfo(str(path), 1.0) for path in spec.adapters
    ]
    _quiet(params)
    if spec.embedding:
        _for_embeddings(params, spec)
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        raise LoadError(f"llama.cpp cannot load {spec.path.name}") from error
    # Freeing a server whose loop has not begun yet never ends, and holds the interpreter's lock
    # meanwhile. Whoever has an answer from the loop knows that it runs.
    server.handle_metrics()
    return server


def _quiet(params: xllamacpp.CommonParams) -> None:
    """llama.cpp opens an HTTP port of its own, which we do not use: lock it with a key."""
    params.api_keys = [secrets.token_urlsafe(32)]
    params.n_threads_http = 1
    params.endpoint_slots = params.endpoint_props = params.ui = False
    params.verbosity = 1


def _for_embeddings(params: xllamacpp.CommonParams, spec: RunnerSpec) -> None:
    """One text must fit one batch; a model without a pooling of its own gives its last token."""
    params.embedding = True
    params.n_batch = params.n_ubatch = spec.context
    if not spec.pooling_known:
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_LAST
