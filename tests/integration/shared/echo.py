"""A real server of the kit around hand-made methods of all four kinds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from batos.memory.v1 import memory_pb2, memory_pb2_grpc

from shared import errors, tracing
from shared.channel import open_channel
from shared.interceptors import caller_identity, request_id
from shared.interceptors.deadline import detached, seconds_left
from shared.server import Server
from shared.settings import GrpcSettings


class EchoServicer(memory_pb2_grpc.MemoryServiceServicer):
    """Answers with what the kit did to the call."""

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()
        self.asked = 0
        self.peer: grpc.aio.Channel | None = None

    async def GetStats(self, request, context):
        self.asked += 1
        if request.namespace == "invalid":
            raise errors.InvalidArgument.of_field("namespace", "is wrong")
        if request.namespace == "away":
            raise errors.Unavailable("its model is away", retry_after=9)
        if request.namespace == "busy":
            raise errors.ResourceExhausted("full", retry_after=1.5, metadata={"queue": "8"})
        if request.namespace == "defect":
            raise RuntimeError("secret detail")
        if request.namespace == "long":
            raise errors.FailedPrecondition("x" * 100_000)
        if request.namespace == "brief":
            await asyncio.sleep(1)
            return memory_pb2.GetStatsResponse(embedder="finished")
        return memory_pb2.GetStatsResponse(embedder=await self._known(request.namespace))

    async def _known(self, what: str) -> str:
        """What the kit knows of this call, or of one that is made for it."""
        if what == "caller":
            return caller_identity.current.get()
        if what == "trace":
            return tracing.current.get()
        if what == "left":
            return str(seconds_left())
        if what == "left, detached":
            left = asyncio.get_running_loop().create_future()
            detached().run(lambda: left.set_result(str(seconds_left())))
            return await left
        if what.startswith("peer's "):
            stub = memory_pb2_grpc.MemoryServiceStub(self.peer)
            asked = memory_pb2.GetStatsRequest(namespace=what.removeprefix("peer's "))
            return (await stub.GetStats(asked)).embedder
        return request_id.current.get()

    async def Forget(self, request, context):
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return memory_pb2.ForgetResponse()

    async def CreateEpisodes(self, requests, context):
        async for request in requests:
            if request.namespace == "invalid":
                raise errors.InvalidArgument.of_field("namespace", "is wrong")
            yield memory_pb2.CreateEpisodesResponse(
                request_id=request.request_id, ids=[request_id.current.get()]
            )


@asynccontextmanager
async def echo_server(
    *, client: Path | None = None, **settings
) -> AsyncIterator[tuple[EchoServicer, Server, grpc.aio.Channel]]:
    """With `tls_dir` among the settings, and `client` the directory that the caller shows."""
    servicer = EchoServicer()
    server = Server(
        GrpcSettings(**({"listen": "127.0.0.1:0", "drain_seconds": 1} | settings)),
        memory_pb2.DESCRIPTOR,
        lambda s: memory_pb2_grpc.add_MemoryServiceServicer_to_server(servicer, s),
    )
    await server.start()
    channel = open_channel(server.address, client)
    try:
        yield servicer, server, channel
    finally:
        await channel.close()
        await server.stop()
