"""Starts the MCP server: `python -m services.mcp_server [--stdio]`."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import signal
import sys
from collections.abc import Iterator

import uvicorn
from mcp.server.stdio import stdio_server

from services.mcp_server.peers import opened
from services.mcp_server.server import McpServer
from services.mcp_server.settings import McpSettings
from shared import process, telemetry
from shared.errors import FailedPrecondition
from shared.settings import load

_PROGRAM = "python -m services.mcp_server"


class _Uvicorn(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise them again at its end, and exit by them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main() -> None:
    """Serves streamable HTTP, or one client on stdin and stdout."""
    on_stdio = "--stdio" in sys.argv[1:]
    settings = load(McpSettings, _PROGRAM, [a for a in sys.argv[1:] if a != "--stdio"])
    telemetry.start("mcp_server", settings)
    process.run(_PROGRAM, _serve(settings, on_stdio=on_stdio))


async def _serve(settings: McpSettings, *, on_stdio: bool) -> None:
    async with opened(settings) as peers:
        ours = McpServer(peers)
        following = asyncio.create_task(ours.follow())
        try:
            await (_on_stdio(ours) if on_stdio else _on_http(ours, settings))
        finally:
            following.cancel()
            await asyncio.wait({following})


async def _on_stdio(ours: McpServer) -> None:
    async with stdio_server() as (read, write):
        await ours.server.run(read, write, ours.server.create_initialization_options())


async def _on_http(ours: McpServer, settings: McpSettings) -> None:
    host, _, port = settings.listen.rpartition(":")
    host = host.strip("[]")
    if not _is_loopback(host):
        raise FailedPrecondition(
            f"{settings.listen} can be reached by other machines, and MCP asks for no token; "
            "listen on 127.0.0.1",
            reason="PLAINTEXT_REFUSED",
        )
    config = uvicorn.Config(
        ours.server.streamable_http_app(host=host),
        host=host,
        port=int(port),
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=max(1, round(settings.drain_seconds)),
    )
    server = _Uvicorn(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(
            number, lambda: setattr(server, "should_exit", True)
        )
    await server.serve()


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


if __name__ == "__main__":
    main()
