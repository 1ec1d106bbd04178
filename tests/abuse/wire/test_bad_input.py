"""Bad input to each method of each service: refused in words, changing nothing, harming nobody."""

import uuid

import grpc
import pytest
from batos.supervisor.v1 import supervisor_pb2
from google.protobuf.message import Message

from shared.channel import MESSAGE_LIMIT_BYTES
from shared.probe import is_serving
from tests.abuse.wire.spoiling import spoiled
from tests.abuse.wire.state import STATE
from tests.abuse.wire.valid_requests import VALID
from tests.abuse.wire.wire import Outcome, Wire
from tests.contract.rpc_methods import ALL_METHODS, PACKAGES, methods_of

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.timeout(300),
]

NO_MESSAGES = (b"\xff" * 20, b"\x0a\xff\xff\xff\xff\x0f", b"\x08", b"\x0b" * 200)
NO_UUIDS = ("", "1", "x" * 100_000, str(uuid.uuid4())[:-1], "g" * 32, "\x00" * 36)
INDIRECT = {  # the fault shows in another field than the one that was spoiled
    ("Converse", "persona"): {"persona", "soma"},
    ("Converse", "soma"): {"persona", "soma"},
    ("Forget", "ids"): {"ids", "soma"},
    ("Forget", "soma"): {"ids", "soma"},
    ("Update", "update_mask"): {"text", "importance", "metadata"},
    ("Session", "cell"): {"open"},
}


async def test_every_method_has_a_valid_request():
    named = {(service, method) for service in VALID for method in VALID[service]}
    assert named == {(service, m.name) for service in PACKAGES for m in methods_of(service)}


EACH = pytest.mark.parametrize(
    ("service", "method"),
    [(service, method) for service in PACKAGES for method in methods_of(service)],
    ids=lambda value: getattr(value, "name", value),
)


class Trial:
    """One method of one service under trial."""

    def __init__(self, stack, service, method) -> None:
        self.wire = Wire(stack.addresses[service])
        self._address = stack.addresses[service]
        self._state = STATE[service]
        self.valid = VALID[service][method.name]
        self.method = method

    async def refused(self, payload: bytes, *, code=grpc.StatusCode.INVALID_ARGUMENT) -> Outcome:
        """Refused with this code, and nothing changed."""
        outcome = await self.tried(payload)
        assert outcome.code is code, outcome
        return outcome

    async def tried(self, payload: bytes) -> Outcome:
        """Answered, or refused in words and without a change."""
        before = await self._state(self.wire.channel)
        outcome = await self.wire.send(self.method, [payload])
        outcome.check_typed()
        if not outcome.ok:
            assert await self._state(self.wire.channel) == before
        return outcome

    async def end(self) -> None:
        """It still serves."""
        assert await is_serving(self._address)
        await self.wire.channel.close()


@EACH
async def test_bytes_that_are_no_such_message(stack, service, method):
    trial = Trial(stack, service, method)
    for payload in NO_MESSAGES:
        assert (await trial.refused(payload)).reason == "MALFORMED_MESSAGE"
    await trial.end()


@EACH
async def test_text_that_is_no_text(stack, service, method):
    trial = Trial(stack, service, method)
    for field in method.input_type.fields:
        if field.type == field.TYPE_STRING and not field.is_repeated:
            payload = bytes([field.number << 3 | 2, 2, 0xC3, 0x28])
            assert (await trial.refused(payload)).reason == "MALFORMED_MESSAGE"
    await trial.end()


@EACH
async def test_an_empty_message(stack, service, method):
    trial = Trial(stack, service, method)
    needs_something = bool(method.input_type.fields) and "request_id" in (
        method.input_type.fields_by_name
    )
    outcome = await trial.tried(b"")
    if needs_something:
        assert outcome.code is grpc.StatusCode.INVALID_ARGUMENT
    await trial.end()


@EACH
async def test_a_message_over_the_cap(stack, service, method):
    trial = Trial(stack, service, method)
    # gRPC itself refuses it, before anything of ours could put a reason to it.
    oversized = b"\x00" * (MESSAGE_LIMIT_BYTES + 1)
    outcome = await trial.wire.send(method, [oversized], watch_seconds=20)
    assert outcome.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    await trial.end()


@EACH
async def test_fields_that_nobody_knows_are_passed_over(stack, service, method):
    trial = Trial(stack, service, method)
    unknown = b"\x92\xbf\x05\x04\xde\xad\xbe\xef"  # field 11250, four bytes
    await _settled(trial, await trial.tried(trial.valid().SerializeToString() + unknown))
    await trial.end()


@EACH
async def test_each_field_spoiled(stack, service, method):
    trial = Trial(stack, service, method)
    for name, spoil in spoiled(trial.valid()):
        request = trial.valid()
        spoil(request)
        outcome = await trial.tried(request.SerializeToString())
        if outcome.fields:
            assert _top(name) in {_top(f) for f in outcome.fields} or _top_ok(
                method.name, name, outcome
            ), (name, outcome)
        await _settled(trial, outcome)
    await trial.end()


@pytest.mark.parametrize(
    ("service", "method"),
    [
        (service, method)
        for service in PACKAGES
        for method in methods_of(service)
        if "request_id" in method.input_type.fields_by_name
    ],
    ids=lambda value: getattr(value, "name", value),
)
async def test_request_ids_that_are_no_uuids(stack, service, method):
    trial = Trial(stack, service, method)
    for text in NO_UUIDS:
        request = trial.valid()
        request.request_id = text
        outcome = await trial.refused(request.SerializeToString())
        assert outcome.fields == ("request_id",), (text, outcome)
    await trial.end()


async def _settled(trial: Trial, outcome: Outcome) -> None:
    """A lease that was given is given back: others wait for it."""
    if outcome.ok and trial.method.name == "AcquireGpuLease":
        lease = supervisor_pb2.AcquireGpuLeaseResponse.FromString(outcome.responses[0]).lease
        release: Message = supervisor_pb2.ReleaseGpuLeaseRequest(
            request_id=str(uuid.uuid4()), fencing_token=lease.fencing_token
        )
        (method,) = [m for m in ALL_METHODS if m.name == "ReleaseGpuLease"]
        assert (await trial.wire.send(method, [release.SerializeToString()])).ok


def _top(name: str) -> str:
    return name.partition(" ")[0].partition(".")[0].partition("[")[0]


def _top_ok(method: str, name: str, outcome: Outcome) -> bool:
    return bool(INDIRECT.get((method, _top(name)), set()) & {_top(f) for f in outcome.fields})
