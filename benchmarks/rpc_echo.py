"""An echo behind a bare grpc.aio server, or behind ours: the other end of `rpc_overhead`.

Usage: python -m benchmarks.rpc_echo bare|ours [TLS_DIR]

Prints its port, serves until its standard input ends.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
from batos.memory.v1 import memory_pb2 as pb
from batos.memory.v1 import memory_pb2_grpc

from shared import logs
from shared.server import Server
from shared.settings import GrpcSettings


class Echo(memory_pb2_grpc.MemoryServiceServicer):
    """Answers at once, so that only the way there and back costs."""

    async def GetStats(self, request: pb.GetStatsRequest, context: Any) -> pb.GetStatsResponse:
        """Unary."""
        return pb.GetStatsResponse(embedder=request.namespace)

    async def CreateEpisodes(
        self, request_iterator: AsyncIterator[pb.CreateEpisodesRequest], context: Any
    ) -> AsyncIterator[pb.CreateEpisodesResponse]:
        """One response per request."""
        async for request in request_iterator:
            yield pb.CreateEpisodesResponse(request_id=request.request_id)


def register(server: grpc.aio.Server) -> None:
    """Adds the echo to a server."""
    echo = Echo()  # type: ignore[abstract]  # what it lacks gRPC answers as UNIMPLEMENTED
    memory_pb2_grpc.add_MemoryServiceServicer_to_server(echo, server)


async def bare() -> None:
    """grpc.aio with nothing around it."""
    server = grpc.aio.server()
    register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await _until_left_alone(port)
    await server.stop(0)


async def ours(tls_dir: Path | None) -> None:
    """The server that every service starts, with all its layers and its log."""
    logs.configure("echo", "INFO", "json")
    settings = GrpcSettings.model_validate({"listen": "127.0.0.1:0", "tls_dir": tls_dir})
    server = Server(settings, pb.DESCRIPTOR, register)
    await server.start()
    await _until_left_alone(int(server.address.rpartition(":")[2]))
    await server.stop()


async def _until_left_alone(port: int) -> None:
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    if sys.argv[1] == "bare":
        asyncio.run(bare())
    else:
        asyncio.run(ours(Path(sys.argv[2]) if len(sys.argv) > 2 else None))
