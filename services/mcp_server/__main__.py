"""Starts the MCP server: `python -m services.mcp_server [--stdio]`."""

from __future__ import annotations

import asyncio
import sys

from mcp.server.stdio import stdio_server

from services.mcp_server.peers import opened
from services.mcp_server.server import McpServer
from services.mcp_server.settings import McpSettings
from shared import http_server, process, telemetry
from shared.errors import FailedPrecondition
from shared.settings import load

_PROGRAM = "python -m services.mcp_server"


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
    host = settings.listen.rpartition(":")[0].strip("[]")
    if not http_server.is_local(host):
        raise FailedPrecondition(
            f"{settings.listen} can be reached by other machines, and MCP asks for no token; "
            "listen on 127.0.0.1",
            reason="PLAINTEXT_REFUSED",
        )
    app = ours.server.streamable_http_app(host=host)
    listener = http_server.bind(settings)
    await http_server.serve(app, listener, settings.drain_seconds, lifespan=True)


if __name__ == "__main__":
    main()
