"""Keeps web pages of strangers away from a server that has no passwords.

A page in a browser can reach servers on its owner's machine: by its own requests, which carry
an `Origin`, or by a DNS name that it points at 127.0.0.1, which shows in `Host`.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from services.model_server.live_response import send_json
from shared.http_server import address, is_local


class LocalCallers:
    """ASGI middleware: 403 for a foreign `Origin`, or a foreign `Host` on a loopback port."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what comes from programs and from pages of this machine."""
        if scope["type"] == "http" and not _welcome(scope):
            await send_json(send, 403, {"error": "requests from other origins are refused"})
            return
        await self._app(scope, receive, send)


def _welcome(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    origin = headers.get("origin")
    if origin and not is_local(urlsplit(origin).hostname or ""):
        return False
    bound = (scope.get("server") or ("",))[0]
    if not is_local(bound):
        return True  # bound to the network on purpose: names are the network's business
    host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
    return not host or bool(address(host)) or is_local(host)
