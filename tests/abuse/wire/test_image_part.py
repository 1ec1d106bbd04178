"""ImagePartService meets what no Supervisor would send; every refusal is typed, nothing is lost."""

import asyncio
import hashlib

import grpc
import pytest
from batos.image.v1 import image_pb2 as pb
from batos.image.v1.image_pb2_grpc import ImagePartServiceStub
from google.protobuf.duration_pb2 import Duration

from shared.rpc_status import from_rpc_error
from tests.abuse.wire.state import STATE
from tests.abuse.wire.wire import Wire

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.timeout(120),
]

SERVICES = ("memory", "toolforge", "trainer")


def file(name: str, content: bytes, size: int | None = None) -> list[pb.ImportRequest]:
    announced = pb.ImportFile(
        name=name,
        size_bytes=len(content) if size is None else size,
        sha256=hashlib.sha256(content).digest(),
    )
    return [pb.ImportRequest(file=announced), pb.ImportRequest(chunk=content)]


IMAGE = [pb.ImportRequest(image="bad")]
BAD_IMPORTS = {
    "nothing": [],
    "no image": file("x", b"x"),
    "only an image": IMAGE,
    "two images": [*IMAGE, *IMAGE],
    "an empty request": [*IMAGE, pb.ImportRequest()],
    "a bad image": [pb.ImportRequest(image="../x")],
    "a chunk too large": [*IMAGE, *file("x", b"x" * ((1 << 20) + 1))],
    "a chunk alone": [*IMAGE, pb.ImportRequest(chunk=b"x")],
    "a path that leads out": [*IMAGE, *file("../../x", b"x")],
    "a strange file": [*IMAGE, *file("strange", b"x")],
    "a negative size": [*IMAGE, *file("lance/x", b"", size=-1)],
    "a size beyond all disks": [*IMAGE, *file("lance/x", b"x", size=1 << 62)],
    "garbage for databases": [
        *IMAGE,
        *(f for s in SERVICES for f in file(f"{s}.sqlite", b"garbage" * 999)),
    ],
}


async def outcome(call):
    """The status; an untyped one with its words."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        typed = from_rpc_error(error)
        return error.code() if typed.reason else (error.code(), error.details())
    return grpc.StatusCode.OK


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("name", list(BAD_IMPORTS))
async def test_bad_imports_are_refused(stack, service, name):
    channel = Wire(stack.addresses[service]).channel
    before = await STATE[service](channel)
    code = await outcome(ImagePartServiceStub(channel).Import(iter(BAD_IMPORTS[name]), timeout=20))
    assert code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.DATA_LOSS)
    assert await STATE[service](channel) == before


@pytest.mark.parametrize("service", SERVICES)
async def test_what_was_never_frozen_or_imported_is_refused(stack, service):
    stub = ImagePartServiceStub(Wire(stack.addresses[service]).channel)
    refused = grpc.StatusCode.FAILED_PRECONDITION
    assert await outcome(stub.Thaw(pb.ThawRequest(image="never"))) is refused
    assert await outcome(stub.Switch(pb.SwitchRequest(image="never"))) is refused
    export = stub.Export(pb.ExportRequest(image="never"))
    assert await outcome(export.read()) is refused
    assert await outcome(stub.Discard(pb.DiscardRequest(image="never"))) is grpc.StatusCode.OK
    bad = pb.FreezeRequest(image="a", ttl=Duration(seconds=-1))
    assert await outcome(stub.Freeze(bad)) is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("service", SERVICES)
async def test_an_importer_who_leaves_costs_nothing(stack, service):
    channel = Wire(stack.addresses[service]).channel
    before = await STATE[service](channel)
    stub = ImagePartServiceStub(channel)

    async def slowly():
        yield IMAGE[0]
        yield file(f"{service}.sqlite", b"x" * 1000, size=2000)[0]
        await asyncio.sleep(30)

    call = stub.Import(slowly(), timeout=30)
    await asyncio.sleep(0.3)
    call.cancel()
    assert await STATE[service](channel) == before
    # Another one is let in: the first does not hold the door.
    again = stub.Import(iter(IMAGE), timeout=10)
    assert await outcome(again) is grpc.StatusCode.DATA_LOSS


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    "images",
    [["../x"], [""], ["fine", "a" * 101], ["x"] * 10_001],
    ids=["out", "no", "long", "many"],
)
async def test_images_that_cannot_be_are_refused(stack, service, images):
    stub = ImagePartServiceStub(Wire(stack.addresses[service]).channel)
    call = stub.Retain(pb.RetainRequest(images=images))
    assert await outcome(call) is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("service", SERVICES)
async def test_a_freezer_who_leaves_holds_writes_no_longer_than_it_said(stack, service):
    stub = ImagePartServiceStub(Wire(stack.addresses[service]).channel)
    await stub.Freeze(pb.FreezeRequest(image="left", ttl=Duration(seconds=1)))
    await asyncio.sleep(1.3)
    thaw = stub.Thaw(pb.ThawRequest(image="left"))
    assert await outcome(thaw) is grpc.StatusCode.FAILED_PRECONDITION
    await stub.Discard(pb.DiscardRequest(image="left"))
