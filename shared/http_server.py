"""One ASGI application on one port: bound with care, served by uvicorn, drained on a signal.

For services that speak HTTP; `shared.server` is for those that serve gRPC.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import signal
import socket
from collections.abc import Iterator

import structlog
import uvicorn
from starlette.types import ASGIApp

from shared.errors import FailedPrecondition
from shared.settings import ServiceSettings

_BACKLOG = 128

_log = structlog.get_logger()


class _Uvicorn(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise them again at its end, and exit by them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(settings: ServiceSettings, *, advice: str = "") -> socket.socket:
    """A socket on the settings' address; FailedPrecondition where it must not or cannot be had.

    `advice` is what else to set before other machines may reach it.
    """
    host, _, port = settings.listen.rpartition(":")
    host = host.strip("[]")
    if not settings.allow_plaintext_beyond_loopback and not is_local(host):
        prefix = settings.model_config.get("env_prefix", "")
        raise FailedPrecondition(
            f"{settings.listen} can be reached by other machines: set "
            f"{prefix}ALLOW_PLAINTEXT_BEYOND_LOOPBACK=true{advice}",
            reason="PLAINTEXT_REFUSED",
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, int(port)), family=family, backlog=_BACKLOG)
    except (OSError, ValueError) as error:
        raise FailedPrecondition(
            f"cannot listen on {settings.listen}: {error}", reason="PORT_TAKEN"
        ) from error
    # Accepted sockets inherit it. asyncio sets it only where a socket names its protocol, which
    # these do not; without it each answer but a connection's first waits 40 ms for a delayed ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


async def serve(
    app: ASGIApp, listener: socket.socket, drain_seconds: float, *, lifespan: bool = False
) -> None:
    """Serves until SIGTERM or SIGINT; then answers in flight have `drain_seconds`, one at least.

    `lifespan` is whether the application has one to be told of.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="on" if lifespan else "off",
        timeout_graceful_shutdown=max(1, round(drain_seconds)),
        server_header=False,
        http="h11",
        ws="none",
    )
    server = _Uvicorn(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _stop, server)
    host, port = listener.getsockname()[:2]
    _log.info("serving", address=f"{host}:{port}")
    await server.serve(sockets=[listener])


def is_local(host: str) -> bool:
    """Whether a name or an address means this machine and cannot be reached from another."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    found = address(host)
    return bool(found and found.is_loopback)


def address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a text is; None where it is a name or nothing."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _stop(server: uvicorn.Server) -> None:
    _log.info("draining")
    server.should_exit = True
