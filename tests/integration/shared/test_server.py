import asyncio
import uuid

import grpc
import pytest
from batos.memory.v1 import memory_pb2, memory_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from shared import errors
from shared.interceptors import request_id
from shared.rpc_status import from_rpc_error
from shared.server import Server
from shared.settings import GrpcSettings
from tests.integration.shared.echo import EchoServicer, echo_server


async def failure(awaitable) -> errors.BatosError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await awaitable
    return from_rpc_error(caught.value)


async def test_errors_cross_the_wire_with_their_details():
    async with echo_server() as (_, _, channel):
        stub = memory_pb2_grpc.MemoryServiceStub(channel)
        invalid = await failure(stub.GetStats(memory_pb2.GetStatsRequest(namespace="invalid")))
        busy = await failure(stub.GetStats(memory_pb2.GetStatsRequest(namespace="busy")))
    assert isinstance(invalid, errors.InvalidArgument)
    assert invalid.violations == (errors.Violation("namespace", "is wrong"),)
    assert isinstance(busy, errors.ResourceExhausted)
    assert (busy.retry_after, busy.metadata) == (1.5, {"queue": "8"})


async def test_a_service_that_says_unavailable_is_asked_once():
    async with echo_server() as (servicer, _, channel):
        stub = memory_pb2_grpc.MemoryServiceStub(channel)
        error = await failure(stub.GetStats(memory_pb2.GetStatsRequest(namespace="away")))
    assert isinstance(error, errors.Unavailable)
    assert (error.retry_after, servicer.asked) == (9, 1)


async def test_a_defect_is_internal_and_keeps_its_text_to_itself():
    async with echo_server() as (_, _, channel):
        stub = memory_pb2_grpc.MemoryServiceStub(channel)
        error = await failure(stub.GetStats(memory_pb2.GetStatsRequest(namespace="defect")))
    assert isinstance(error, errors.Internal)
    assert "secret detail" not in error.message


async def test_an_overlong_error_text_is_cut_and_arrives():
    async with echo_server() as (_, _, channel):
        stub = memory_pb2_grpc.MemoryServiceStub(channel)
        error = await failure(stub.GetStats(memory_pb2.GetStatsRequest(namespace="long")))
    assert isinstance(error, errors.FailedPrecondition)


async def test_the_request_id_travels_on_unary_and_streams():
    async with echo_server() as (_, _, channel):
        stub = memory_pb2_grpc.MemoryServiceStub(channel)
        request_id.current.set("abcdefgh1234")
        unary = await stub.GetStats(memory_pb2.GetStatsRequest())
        stream = stub.CreateEpisodes(iter([memory_pb2.CreateEpisodesRequest(request_id="1")]))
        streamed = [response async for response in stream]
    assert unary.embedder == "abcdefgh1234"
    assert [list(r.ids) for r in streamed] == [["abcdefgh1234"]]


async def test_a_hostile_request_id_is_replaced():
    async with echo_server() as (_, server, _), grpc.aio.insecure_channel(server.address) as bare:
        stub = memory_pb2_grpc.MemoryServiceStub(bare)
        response = await stub.GetStats(
            memory_pb2.GetStatsRequest(), metadata=[(request_id.HEADER, "x y; drop")]
        )
    assert uuid.UUID(response.embedder)


async def test_a_stream_that_fails_half_way_is_typed_and_keeps_what_came_before():
    async with echo_server() as (_, _, channel):
        stub = memory_pb2_grpc.MemoryServiceStub(channel)
        requests = [
            memory_pb2.CreateEpisodesRequest(request_id="1"),
            memory_pb2.CreateEpisodesRequest(namespace="invalid"),
        ]
        received = []

        async def drain():
            async for response in stub.CreateEpisodes(iter(requests)):
                received.append(response.request_id)

        error = await failure(drain())
    assert received == ["1"]
    assert isinstance(error, errors.InvalidArgument)


async def test_a_deadline_ends_the_call_and_the_handler():
    async with echo_server() as (servicer, _, channel):
        stub = memory_pb2_grpc.MemoryServiceStub(channel)
        error = await failure(stub.Forget(memory_pb2.ForgetRequest(), timeout=0.2))
        await asyncio.wait_for(servicer.cancelled.wait(), 5)
    assert isinstance(error, errors.DeadlineExceeded)


async def test_health_tells_the_truth_from_start_to_drain():
    async with echo_server() as (_, server, channel):
        stub = health_pb2_grpc.HealthStub(channel)

        async def status() -> int:
            request = health_pb2.HealthCheckRequest(service="batos.memory.v1.MemoryService")
            return (await stub.Check(request)).status

        assert await status() == health_pb2.HealthCheckResponse.NOT_SERVING
        await server.health.set(True)
        assert await status() == health_pb2.HealthCheckResponse.SERVING
        await server.health.set(False, "its disk is gone")
        assert await status() == health_pb2.HealthCheckResponse.NOT_SERVING
        await server.health.set(True)
        await server.health.drain()
        await server.health.set(True)
        assert await status() == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_reflection_lists_the_service():
    async with echo_server() as (_, _, channel):
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        async for response in stub.ServerReflectionInfo(iter([request])):
            names = {service.name for service in response.list_services_response.service}
    assert "batos.memory.v1.MemoryService" in names


async def test_calls_in_flight_finish_while_draining():
    async with echo_server(drain_seconds=5) as (_, server, channel):
        stub = memory_pb2_grpc.MemoryServiceStub(channel)
        call = asyncio.ensure_future(stub.GetStats(memory_pb2.GetStatsRequest(namespace="brief")))
        await asyncio.sleep(0.2)
        await server.stop()
        assert (await call).embedder == "finished"


async def test_calls_over_the_drain_time_are_cut_and_typed():
    async with echo_server(drain_seconds=0.1) as (servicer, server, channel):
        stub = memory_pb2_grpc.MemoryServiceStub(channel)
        call = asyncio.ensure_future(stub.Forget(memory_pb2.ForgetRequest()))
        await asyncio.sleep(0.2)
        await server.stop()
        assert isinstance(await failure(call), errors.Cancelled | errors.Unavailable)
        assert servicer.cancelled.is_set()


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "10.0.0.1:0", "[::]:0", "example.org:0"])
async def test_plaintext_beyond_loopback_is_refused(listen):
    server = Server(GrpcSettings(listen=listen), memory_pb2.DESCRIPTOR, lambda s: None)
    with pytest.raises(errors.FailedPrecondition) as caught:
        await server.start()
    assert caught.value.reason == "PLAINTEXT_REFUSED"


async def test_a_taken_port_is_a_sentence():
    async with echo_server() as (_, server, _):
        second = Server(
            GrpcSettings(listen=server.address),
            memory_pb2.DESCRIPTOR,
            lambda s: memory_pb2_grpc.add_MemoryServiceServicer_to_server(EchoServicer(), s),
        )
        with pytest.raises(errors.FailedPrecondition) as caught:
            await second.start()
    assert caught.value.reason == "PORT_TAKEN"


async def test_a_peer_that_is_away_is_unavailable():
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
        stub = memory_pb2_grpc.MemoryServiceStub(channel)
        error = await failure(stub.GetStats(memory_pb2.GetStatsRequest(), timeout=5))
    assert isinstance(error, errors.Unavailable)
