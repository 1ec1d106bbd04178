"""A peer that answers HTTP by a script, in this process, on a port that it picks."""

import asyncio
from collections.abc import Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route


class ScriptedPeer:
    """Serves its routes between `start` and `stop`, at `url`."""

    def __init__(self, routes: Sequence[Route]) -> None:
        config = uvicorn.Config(
            Starlette(routes=routes), host="127.0.0.1", port=0, log_level="error", lifespan="off"
        )
        self._server = uvicorn.Server(config)

    async def start(self) -> None:
        self._serving = asyncio.create_task(self._server.serve())
        while not self._server.started:
            await asyncio.sleep(0.01)
        (socket,) = self._server.servers[0].sockets
        self.url = f"http://127.0.0.1:{socket.getsockname()[1]}"

    async def stop(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        await self._serving
