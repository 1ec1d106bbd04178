"""Starts the gateway: `python -m services.gateway`."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import uvicorn
from starlette.applications import Starlette

from services.gateway.app import build_app
from services.gateway.callers import is_local
from services.gateway.conversation import Conversations
from services.gateway.doors import Backs
from services.gateway.known_somas import KnownSomas
from services.gateway.ollama_embeddings import OllamaEmbeddings
from services.gateway.records import opened
from services.gateway.settings import GatewaySettings
from services.gateway.supervisor_peer import SupervisorPeer
from shared import process, telemetry
from shared.channel import open_channel
from shared.errors import FailedPrecondition
from shared.settings import load

_PROGRAM = "python -m services.gateway"

log = structlog.get_logger()


class _Uvicorn(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise them again at its end, and exit by them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main() -> None:
    """Serves until SIGTERM or Ctrl-C."""
    settings = load(GatewaySettings, _PROGRAM)
    telemetry.start("gateway", settings)
    process.run(_PROGRAM, serve(settings))


async def serve(settings: GatewaySettings) -> None:
    """Binds, serves, and lets answers in flight finish once it is told to stop."""
    listener = _bind(settings)
    embeddings = OllamaEmbeddings(settings.ollama_host)
    async with (
        opened(settings.data_dir) as records,
        open_channel(settings.supervisor_address, settings.tls_dir) as channel,
    ):
        supervisor = SupervisorPeer(channel)
        conversations = Conversations(supervisor, KnownSomas(settings.conversations))
        backs = Backs(supervisor, conversations, embeddings, int(time.time()))
        server = _uvicorn(build_app(backs, settings, records), settings)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, _stop, server)
        host, port = listener.getsockname()[:2]
        log.info("serving", address=f"{host}:{port}", tls=settings.tls_dir is not None)
        await server.serve(sockets=[listener])
    await embeddings.close()
    log.info("stopped")


def _uvicorn(app: Starlette, settings: GatewaySettings) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=max(1, round(settings.drain_seconds)),
        server_header=False,
        http="h11",
        ws="none",
    )
    return _Uvicorn(config)


def _stop(server: uvicorn.Server) -> None:
    log.info("draining")
    server.should_exit = True


def _bind(settings: GatewaySettings) -> socket.socket:
    host, _, port = settings.listen.rpartition(":")
    host = host.strip("[]")
    if not settings.allow_plaintext_beyond_loopback and not is_local(host):
        variable = "BATOS_GATEWAY_ALLOW_PLAINTEXT_BEYOND_LOOPBACK"
        raise FailedPrecondition(
            f"{settings.listen} can be reached by other machines: set {variable}=true, and "
            "BATOS_GATEWAY_TOKENS=required",
            reason="PLAINTEXT_REFUSED",
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, int(port)), family=family, backlog=128)
    except (OSError, ValueError) as error:
        raise FailedPrecondition(
            f"cannot listen on {settings.listen}: {error}", reason="PORT_TAKEN"
        ) from error
    # Accepted sockets inherit it; without it each answer but a connection's first waits 40 ms for
    # a delayed ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


if __name__ == "__main__":
    main()
