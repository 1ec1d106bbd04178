"""Who may speak to the gateway.

A page in a browser can reach servers on its owner's machine: by its own requests, which carry an
`Origin`, or by a DNS name that it points at 127.0.0.1, which shows in `Host`. Both must name this
machine, or a name that the owner gave.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.live_response import framing_of, send_error
from shared.errors import BatosError, PermissionDenied
from shared.http_server import address, is_local


class KnownCallers:
    """ASGI middleware: 403 for a foreign `Origin` or `Host`."""

    def __init__(self, app: ASGIApp, hosts: str) -> None:
        self._app = app
        self._hosts = frozenset(name.strip().lower() for name in hosts.split(",")) - {""}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what may come in."""
        if scope["type"] == "http" and (refusal := self._refusal(scope)):
            await send_error(send, refusal, framing_of(scope["path"]))
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> BatosError | None:
        headers = Headers(scope=scope)
        origin, host = headers.get("origin"), headers.get("host", "")
        if origin and not self._is_ours(_hostname(origin)):
            return PermissionDenied("requests from other origins are refused", reason="ORIGIN")
        name = _hostname(f"//{host}")
        if not (self._is_ours(name) or address(name)):
            return PermissionDenied(
                f"Host {name!r} is not one of this gateway's names; BATOS_GATEWAY_HOSTS adds some",
                reason="HOST",
            )
        return None

    def _is_ours(self, host: str) -> bool:
        return is_local(host) or host in self._hosts


def _hostname(url: str) -> str:
    """The host of an origin or a `Host`; "" (which is nobody's) where there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
