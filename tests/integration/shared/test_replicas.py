"""Several replicas behind one channel: spread, passed over, tried again elsewhere."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import pytest
from batos.sandbox.v1 import sandbox_pb2 as pb
from batos.sandbox.v1 import sandbox_pb2_grpc

from shared.channel import open_channel
from shared.errors import ResourceExhausted, Unavailable
from shared.rpc_status import from_rpc_error
from shared.server import Server
from shared.settings import GrpcSettings


class Replica(sandbox_pb2_grpc.SandboxServiceServicer):
    """Says who it is; full where it was told so."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.full = False
        self.asked = 0

    async def Execute(self, request, context):
        self.asked += 1
        if self.full:
            raise ResourceExhausted("full", retry_after=0.1)
        return pb.ExecuteResponse(sandbox_id=self.name)

    async def GetCapacity(self, request, context):
        return pb.GetCapacityResponse(replica_id=self.name)


@asynccontextmanager
async def running(*names: str, **settings):
    """(replicas, servers, a stub that balances over them)."""
    async with AsyncExitStack() as stack:
        replicas, servers = [Replica(name) for name in names], []
        for replica in replicas:
            server = Server(
                GrpcSettings(listen="127.0.0.1:0", drain_seconds=1, **settings),
                pb.DESCRIPTOR,
                lambda s, r=replica: sandbox_pb2_grpc.add_SandboxServiceServicer_to_server(r, s),
            )
            await server.start()
            await server.health.set(True)
            stack.push_async_callback(server.stop)
            servers.append(server)
        address = "ipv4:" + ",".join(server.address for server in servers)
        channel = await stack.enter_async_context(open_channel(address))
        stub = sandbox_pb2_grpc.SandboxServiceStub(channel)
        await until_all_answer(stub, set(names))
        yield replicas, servers, stub


async def until_all_answer(stub, names: set[str]) -> None:
    async with asyncio.timeout(10):
        seen: set[str] = set()
        while seen != names:
            seen.add((await stub.GetCapacity(pb.GetCapacityRequest())).replica_id)


async def asked(stub, calls: int) -> Counter[str]:
    answers = [await stub.GetCapacity(pb.GetCapacityRequest()) for _ in range(calls)]
    return Counter(answer.replica_id for answer in answers)


async def test_calls_are_spread_evenly():
    async with running("a", "b") as (_, _, stub):
        assert await asked(stub, 20) == {"a": 10, "b": 10}


async def test_a_replica_that_does_not_serve_gets_no_call_until_it_does():
    async with running("a", "b") as (_, servers, stub):
        await servers[0].health.set(False, "its runtime is away")
        await asyncio.sleep(0.3)
        assert await asked(stub, 20) == {"b": 20}
        await servers[0].health.set(True)
        await until_all_answer(stub, {"a", "b"})


async def test_no_call_fails_while_a_replica_is_drained():
    async with running("a", "b") as (_, servers, stub):
        stopping = asyncio.create_task(servers[0].stop())
        answers = Counter[str]()
        while not stopping.done():
            answers += await asked(stub, 5)
        answers += await asked(stub, 20)
        assert answers["b"] > 20


async def test_a_full_replica_is_passed_over_before_the_caller_hears_of_it():
    async with running("a", "b") as (replicas, _, stub):
        replicas[0].full = True
        answers = [await stub.Execute(pb.ExecuteRequest()) for _ in range(6)]
        assert {answer.sandbox_id for answer in answers} == {"b"}
        assert replicas[0].asked > 0


async def test_where_all_are_full_the_caller_hears_when_to_come_again():
    async with running("a", "b") as (replicas, _, stub):
        for replica in replicas:
            replica.full = True
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Execute(pb.ExecuteRequest())
        error = from_rpc_error(caught.value)
        assert isinstance(error, ResourceExhausted)
        assert error.retry_after == 0.1


async def test_where_none_serves_the_call_fails_at_once_and_typed():
    async with running("a", "b") as (_, servers, stub):
        for server in servers:
            await server.health.set(False, "their runtime is away")
        await asyncio.sleep(0.3)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetCapacity(pb.GetCapacityRequest())
        assert isinstance(from_rpc_error(caught.value), Unavailable)


async def test_connections_are_aged_and_no_call_fails_by_it():
    async with running("a", connection_age_seconds=0.5) as (_, _, stub):
        end = asyncio.get_running_loop().time() + 3
        while asyncio.get_running_loop().time() < end:
            assert await asked(stub, 5) == {"a": 5}
