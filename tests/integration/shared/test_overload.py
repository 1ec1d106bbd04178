import asyncio

import grpc
import pytest
from batos.memory.v1 import memory_pb2 as pb
from batos.memory.v1.memory_pb2_grpc import MemoryServiceStub
from grpc_health.v1 import health_pb2, health_pb2_grpc

from shared import errors
from shared.rpc_status import from_rpc_error
from tests.integration.shared.echo import echo_server

UNARY = "/batos.memory.v1.MemoryService/GetStats"
STREAM = "/batos.memory.v1.MemoryService/CreateEpisodes"


async def error_of(awaitable) -> errors.BatosError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await awaitable
    return from_rpc_error(caught.value)


async def test_calls_over_the_bound_are_refused_with_a_time_and_health_is_not():
    async with echo_server(max_calls=2) as (_, _, channel):
        stub = MemoryServiceStub(channel)
        brief = pb.GetStatsRequest(namespace="brief")
        under_way = [asyncio.ensure_future(stub.GetStats(brief)) for _ in range(2)]
        await asyncio.sleep(0.3)
        refused = await error_of(stub.GetStats(pb.GetStatsRequest()))
        assert isinstance(refused, errors.ResourceExhausted)
        assert (refused.reason, refused.retry_after) == ("TOO_MANY_CALLS", 0.5)
        await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert [answer.embedder for answer in await asyncio.gather(*under_way)] == ["finished"] * 2
        assert await stub.GetStats(pb.GetStatsRequest())


@pytest.mark.parametrize("method", [UNARY, STREAM])
async def test_bytes_that_are_no_message_are_a_typed_refusal(method):
    async with echo_server() as (_, _, channel):
        if method == UNARY:
            error = await error_of(channel.unary_unary(method)(b"\xff\xff\xff\xff"))
        else:
            error = await error_of(channel.stream_stream(method)(iter([b"\xff\xff"])).read())
    assert isinstance(error, errors.InvalidArgument)
    assert error.reason == "MALFORMED_MESSAGE"


async def test_a_message_over_the_cap_is_refused_and_the_next_one_answered():
    async with echo_server() as (_, server, _), grpc.aio.insecure_channel(server.address) as bare:
        stub = MemoryServiceStub(bare)
        oversized = pb.GetStatsRequest(namespace="x" * (9 * 1024 * 1024))
        assert isinstance(await error_of(stub.GetStats(oversized)), errors.ResourceExhausted)
        assert await stub.GetStats(pb.GetStatsRequest())


async def test_an_unknown_method_is_unimplemented():
    async with echo_server() as (_, _, channel):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/batos.memory.v1.MemoryService/Guess")(b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
