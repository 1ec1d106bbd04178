"""Every method of every service against every caller, over mTLS, on the real processes."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from deploy.local import LocalStack
from shared import errors
from shared.allowed_callers import callers_of
from shared.channel import open_channel
from shared.rpc_status import from_rpc_error
from tests.contract.rpc_methods import PACKAGES, methods_of, path_of
from tests.integration.identity.certificates import Certificates

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

CALLERS = (*PACKAGES, "gateway", "operator", "stranger")
HEALTH = "/grpc.health.v1.Health/Check"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


@pytest.fixture
async def stack(tmp_path: Path, ours: Certificates) -> AsyncIterator[LocalStack]:
    for name in CALLERS:
        ours.of(name)
    async with LocalStack(tmp_path / "state", services=list(PACKAGES), identities=ours.root) as it:
        yield it


async def outcome(channel: grpc.aio.Channel, path: str, kind: str) -> errors.BatosError | None:
    """What an empty request comes to; None for an answer, or for a stream that goes on."""
    call = getattr(channel, kind)(path)
    try:
        if kind == "unary_unary":
            await call(b"", timeout=5)
        elif kind == "unary_stream":
            await call(b"", timeout=1).read()
        else:
            # Nothing is written: a write that meets a refusal would hide the refusal's words.
            await call(timeout=1).read()
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error)
    return None


def kind_of(method) -> str:
    sides = (
        "stream" if each else "unary" for each in (method.client_streaming, method.server_streaming)
    )
    return "_".join(sides)


async def test_whom_the_table_does_not_name_is_refused_by_every_method(stack, ours):
    let_in = refused = 0
    for service, address in stack.addresses.items():
        for caller in CALLERS:
            async with open_channel(address, ours.root / caller) as channel:
                for method in methods_of(service):
                    error = await outcome(channel, path_of(method), kind_of(method))
                    denied = isinstance(error, errors.PermissionDenied)
                    expected = caller not in callers_of(path_of(method))
                    assert denied == expected, (caller, path_of(method), error)
                    if denied:
                        assert error.reason == "CALLER_NOT_ALLOWED"
                    refused, let_in = refused + denied, let_in + (not denied)
    assert (refused, let_in) == (refused_by_table(), allowed_by_table())


async def test_health_is_for_all_of_us_and_reflection_for_the_operator(stack, ours):
    for address in stack.addresses.values():
        for caller in CALLERS:
            async with open_channel(address, ours.root / caller) as channel:
                assert await outcome(channel, HEALTH, "unary_unary") is None
                reflection = await outcome(channel, REFLECTION, "stream_stream")
                assert isinstance(reflection, errors.PermissionDenied) == (caller != "operator")


def allowed_by_table() -> int:
    return sum(len(callers_of(path_of(m))) for service in PACKAGES for m in methods_of(service))


def refused_by_table() -> int:
    methods = sum(len(list(methods_of(service))) for service in PACKAGES)
    return methods * len(CALLERS) - allowed_by_table()
