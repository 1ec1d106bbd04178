"""Rate, errors and duration of HTTP requests, for Prometheus, and a span for each.

For services that speak HTTP; what those speak that serve gRPC is in `shared.call_metrics`.
"""

from __future__ import annotations

import time
from collections.abc import Collection

from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import tracing

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_OTHER = "other"

_requests = Counter("batos_http_requests", "Requests that were answered.", ("path", "status"))
_seconds = Histogram(
    "batos_http_request_seconds", "Until the end of an answer.", ("path",), buckets=_BUCKETS
)


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
