"""What a call hands on to the calls that are made for it."""

import re

import grpc
import pytest
from batos.memory.v1 import memory_pb2 as pb
from batos.memory.v1.memory_pb2_grpc import MemoryServiceStub

from shared import errors, tracing
from shared.interceptors import request_id
from shared.rpc_status import from_rpc_error
from tests.integration.shared.echo import echo_server

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
async def chain():
    """A service that calls another, and a caller of the first."""
    async with echo_server() as (first, _, channel), echo_server() as (_, _, peer):
        first.peer = peer
        yield MemoryServiceStub(channel)


async def known(stub, what: str, **options) -> str:
    return (await stub.GetStats(pb.GetStatsRequest(namespace=what), **options)).embedder


async def test_the_request_id_reaches_the_second_service(chain):
    request_id.current.set("abcdefgh1234")
    assert await known(chain, "peer's id") == "abcdefgh1234"


async def test_one_trace_spans_all_services_and_each_call_has_its_own_span(chain):
    tracing.current.set(TRACE)
    spans = {await known(chain, "trace"), await known(chain, "peer's trace"), TRACE}
    assert len(spans) == 3
    assert {span.split("-")[1] for span in spans} == {TRACE.split("-")[1]}


async def test_a_call_without_a_trace_begins_one_that_is_well_formed(chain):
    first, second = await known(chain, "trace"), await known(chain, "trace")
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", first)
    assert first.split("-")[1] != second.split("-")[1]


@pytest.mark.parametrize(
    "hostile",
    ["", "x" * 5000, TRACE.upper(), "00-" + "0" * 32 + "-00f067aa0ba902b7-01", "01-a-b-c"],
)
async def test_a_hostile_trace_is_replaced(chain, hostile):
    begun = await known(chain, "trace", metadata=((tracing.HEADER, hostile),))
    assert begun.split("-")[1] not in hostile


async def test_the_time_that_is_left_bounds_the_calls_made_for_it(chain):
    left = float(await known(chain, "peer's left", timeout=5))
    assert 0 < left < 6  # gRPC rounds timeouts up on the wire
    assert 20 < float(await known(chain, "left")) < 31  # the table's, where the caller is silent


async def test_the_second_service_stops_when_the_first_caller_has_no_time_left(chain):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await known(chain, "peer's brief", timeout=0.3)
    assert isinstance(from_rpc_error(caught.value), errors.DeadlineExceeded)


async def test_work_that_outlives_its_call_has_no_deadline_of_it(chain):
    assert await known(chain, "left, detached", timeout=5) == "None"
