"""Starts the gateway: `python -m services.gateway`."""

from __future__ import annotations

import time

import structlog

from services.gateway.app import build_app
from services.gateway.conversation import Conversations
from services.gateway.doors import Backs
from services.gateway.known_somas import KnownSomas
from services.gateway.ollama_embeddings import OllamaEmbeddings
from services.gateway.records import opened
from services.gateway.settings import GatewaySettings
from services.gateway.supervisor_peer import SupervisorPeer
from shared import http_server, process, telemetry
from shared.channel import open_channel
from shared.settings import load

_PROGRAM = "python -m services.gateway"

log = structlog.get_logger()


def main() -> None:
    """Serves until SIGTERM or Ctrl-C."""
    settings = load(GatewaySettings, _PROGRAM)
    telemetry.start("gateway", settings)
    process.run(_PROGRAM, serve(settings))


async def serve(settings: GatewaySettings) -> None:
    """Binds, serves, and lets answers in flight finish once it is told to stop."""
    listener = http_server.bind(settings, advice=", and BATOS_GATEWAY_TOKENS=required")
    embeddings = OllamaEmbeddings(settings.ollama_host)
    async with (
        opened(settings.data_dir) as records,
        open_channel(settings.supervisor_address, settings.tls_dir) as channel,
    ):
        supervisor = SupervisorPeer(channel)
        conversations = Conversations(supervisor, KnownSomas(settings.conversations))
        backs = Backs(supervisor, conversations, embeddings, int(time.time()))
        app = build_app(backs, settings, records)
        await http_server.serve(app, listener, settings.drain_seconds)
    await embeddings.close()
    log.info("stopped")


if __name__ == "__main__":
    main()
