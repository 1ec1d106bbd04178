"""One log line per request; its id goes on to the Supervisor and back to the client."""

from __future__ import annotations

import time
import uuid

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.interceptors import request_id

_QUIET = ("/healthz",)

log = structlog.get_logger()


class RequestLog:
    """ASGI middleware: takes the caller's x-request-id, or makes one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Times the request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(request_id.HEADER)
        identifier = request_id.well_formed(given) or uuid.uuid4().hex
        # No token to reset: uvicorn gives each request a task, and so a context, of its own.
        request_id.current.set(identifier)
        status, start = 0, time.perf_counter()

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[request_id.HEADER] = identifier
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            if scope["path"] not in _QUIET:
                _tell(scope, status, time.perf_counter() - start)


def _tell(scope: Scope, status: int, seconds: float) -> None:
    log.info(
        "request",
        method=scope["method"],
        path=scope["path"],
        status=status,
        ms=round(seconds * 1000, 1),
    )
