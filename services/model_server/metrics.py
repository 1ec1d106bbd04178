"""Requests, tokens and loaded models, for Prometheus; and a span for each request."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from prometheus_client import Counter, Gauge, Histogram
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import tracing

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_OTHER = "other"

_requests = Counter(
    "batos_model_server_requests", "Requests that were answered.", ("path", "status")
)
_seconds = Histogram(
    "batos_model_server_request_seconds", "Until the end of an answer.", ("path",), buckets=_BUCKETS
)
tokens = Counter("batos_model_server_tokens", "Tokens that models read and said.", ("kind",))
_loaded = Gauge("batos_model_server_loaded_models", "Models in memory.")
_waiting = Gauge("batos_model_server_waiting", "Requests that wait for a model.")

for _kind in ("prompt", "answer"):
    tokens.labels(_kind)


def watch(loaded: Callable[[], int], waiting: Callable[[], int]) -> None:
    """Shows the scheduler from now on, as it is at each scrape."""
    _loaded.set_function(loaded)
    _waiting.set_function(waiting)


class Measured:
    """ASGI middleware: counts and times each request; `paths` are those told apart."""

    def __init__(self, app: ASGIApp, paths: Collection[str]) -> None:
        self._app = app
        self._paths = frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and take note at the end."""
        path = scope.get("path", "")
        path = path if path in self._paths else _OTHER
        status = 499  # nobody was answered

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = time.perf_counter()
        with tracing.server_span(path, Headers(scope=scope).get(tracing.HEADER)):
            try:
                await self._app(scope, receive, noting)
            finally:
                _requests.labels(path, status).inc()
                _seconds.labels(path).observe(time.perf_counter() - started)
