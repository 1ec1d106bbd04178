"""A real server of the kit around hand-made methods of all four kinds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from batos.memory.v1 import memory_pb2, memory_pb2_grpc

from shared import errors
from shared.channel import open_channel
from shared.interceptors import request_id
from shared.server import Server
from shared.settings import ServiceSettings


class EchoServicer(memory_pb2_grpc.MemoryServiceServicer):
    """Answers with what the kit did to the call."""

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()
        self.asked = 0

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
        return memory_pb2.GetStatsResponse(embedder=request_id.current.get())

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
async def echo_server(**settings) -> AsyncIterator[tuple[EchoServicer, Server, grpc.aio.Channel]]:
    servicer = EchoServicer()
    server = Server(
        ServiceSettings(**({"listen": "127.0.0.1:0", "drain_seconds": 1} | settings)),
        memory_pb2.DESCRIPTOR,
        lambda s: memory_pb2_grpc.add_MemoryServiceServicer_to_server(servicer, s),
    )
    await server.start()
    channel = open_channel(server.address)
    try:
        yield servicer, server, channel
    finally:
        await channel.close()
        await server.stop()
