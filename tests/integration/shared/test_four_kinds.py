"""Every layer holds for every kind of RPC: unary and streaming, on either side."""

import asyncio
import re

import grpc
import pytest
from batos.memory.v1 import memory_pb2
from batos.memory.v1.memory_pb2 import GetStatsRequest as Request
from batos.memory.v1.memory_pb2 import GetStatsResponse as Response
from structlog.testing import capture_logs

from shared import errors, tracing
from shared.channel import open_channel
from shared.interceptors import caller_identity, request_id
from shared.interceptors.deadline import seconds_left
from shared.rpc_status import from_rpc_error
from shared.server import Server
from shared.settings import GrpcSettings
from tests.integration.identity.certificates import Certificates

KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
# A name of the contract's, so that the table of callers lets the operator in.
SERVICE = "batos.memory.v1.MemoryService"
NAMES = dict(zip(KINDS, ("GetStats", "Search", "CreateSummary", "CreateEpisodes"), strict=True))


async def told(request: Request) -> Response:
    """What the layers know, or the trouble that was asked for."""
    if request.namespace == "refuse":
        raise errors.InvalidArgument.of_field("namespace", "is wrong")
    if request.namespace == "defect":
        raise RuntimeError("secret detail")
    if request.namespace == "slow":
        await asyncio.sleep(20)
    known = (request_id.current.get(), tracing.current.get(), caller_identity.current.get())
    return Response(embedder="|".join((*known, str(seconds_left() or ""))))


async def first_of(requests) -> Request:
    async for request in requests:
        return request
    return Request()


async def unary_unary(request, context):
    return await told(request)


async def unary_stream(request, context):
    yield await told(request)


async def stream_unary(requests, context):
    return await told(await first_of(requests))


async def stream_stream(requests, context):
    async for request in requests:
        yield await told(request)


BEHAVIOURS = (unary_unary, unary_stream, stream_unary, stream_stream)


def register(server: grpc.aio.Server) -> None:
    handlers = {
        NAMES[kind]: getattr(grpc, f"{kind}_rpc_method_handler")(
            behaviour, Request.FromString, Response.SerializeToString
        )
        for kind, behaviour in zip(KINDS, BEHAVIOURS, strict=True)
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))


@pytest.fixture
async def channel(certificates):
    settings = GrpcSettings(listen="127.0.0.1:0", drain_seconds=1, tls_dir=certificates["memory"])
    server = Server(settings, memory_pb2.DESCRIPTOR, register)
    await server.start()
    async with open_channel(server.address, certificates["operator"]) as channel:
        yield channel
    await server.stop()


@pytest.fixture
def certificates(tmp_path):
    ours = Certificates(tmp_path)
    return {name: ours.of(name) for name in ("memory", "operator")}


async def call(channel, kind: str, what: str, **options) -> str:
    made = getattr(channel, kind)(
        f"/{SERVICE}/{NAMES[kind]}", Request.SerializeToString, Response.FromString
    )
    request = Request(namespace=what)
    begun = made(iter([request]) if kind.startswith("stream") else request, **options)
    answer = await begun.read() if kind.endswith("stream") else await begun
    return answer.embedder


async def refusal(awaitable) -> errors.BatosError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await awaitable
    return from_rpc_error(caught.value)


@pytest.mark.parametrize("kind", KINDS)
async def test_ids_trace_caller_and_time_are_known(channel, kind):
    request_id.current.set("abcdefgh1234")
    ident, traceparent, caller, left = (await call(channel, kind, "tell", timeout=9)).split("|")
    assert (ident, caller) == ("abcdefgh1234", "operator")
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", traceparent)
    assert 0 < float(left) < 10


@pytest.mark.parametrize("kind", KINDS)
async def test_errors_are_typed_and_defects_keep_their_words(channel, kind):
    refused = await refusal(call(channel, kind, "refuse"))
    assert isinstance(refused, errors.InvalidArgument)
    assert refused.violations == (errors.Violation("namespace", "is wrong"),)
    defect = await refusal(call(channel, kind, "defect"))
    assert isinstance(defect, errors.Internal)
    assert "secret" not in defect.message


@pytest.mark.parametrize("kind", KINDS)
async def test_a_deadline_ends_it(channel, kind):
    assert isinstance(
        await refusal(call(channel, kind, "slow", timeout=0.3)), errors.DeadlineExceeded
    )


@pytest.mark.parametrize("kind", KINDS)
async def test_each_call_is_one_line_of_the_log(channel, kind):
    with capture_logs() as lines:
        await call(channel, kind, "tell")
        await refusal(call(channel, kind, "refuse"))
        await asyncio.sleep(0.1)
    calls = [line for line in lines if line["event"] == "call"]
    assert [line["code"] for line in calls] == ["OK", "INVALID_ARGUMENT"]
    assert {line["method"] for line in calls} == {f"/{SERVICE}/{NAMES[kind]}"}
    assert all(line["ms"] >= 0 for line in calls)
