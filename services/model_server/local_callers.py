"""Keeps web pages of strangers away from a server that has no passwords.

A page in a browser can reach servers on its owner's machine: by its own requests, which carry
an `Origin`, or by a DNS name that it points at 127.0.0.1, which shows in `Host`.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from services.model_server.live_response import send_json


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
    address = (scope.get("server") or ("",))[0]
    if not is_local(address):
        return True  # bound to the network on purpose: names are the network's business
    host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
    return not host or _is_address(host) or is_local(host)


def is_local(host: str) -> bool:
    """Whether a name or an address means this machine and cannot be reached from another."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return _is_address(host) and ipaddress.ip_address(host).is_loopback


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
