"""Who is let in, and whom a client takes for our service."""

import asyncio
from datetime import timedelta

import grpc
import pytest
from batos.memory.v1 import memory_pb2 as pb
from batos.memory.v1.memory_pb2_grpc import MemoryServiceStub

from shared import errors
from shared.channel import open_channel
from shared.identity import AUTHORITY_FILE, IDENTITY_FILE
from shared.rpc_status import from_rpc_error
from tests.integration.shared.echo import echo_server


async def answer(channel: grpc.aio.Channel, what: str = "caller") -> str:
    stub = MemoryServiceStub(channel)
    return (await stub.GetStats(pb.GetStatsRequest(namespace=what), timeout=4)).embedder


async def refusal(channel: grpc.aio.Channel) -> errors.BatosError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await answer(channel)
    return from_rpc_error(caught.value)


async def test_the_service_knows_its_caller_by_the_certificate(ours):
    memory, operator = ours.of("memory"), ours.of("operator")
    async with echo_server(tls_dir=memory, client=operator) as (_, _, channel):
        assert await answer(channel) == "operator"


async def test_a_service_with_an_identity_may_listen_beyond_loopback(ours):
    memory, operator = ours.of("memory"), ours.of("operator")
    async with echo_server(listen="0.0.0.0:0", tls_dir=memory) as (_, server, _):
        port = server.address.rpartition(":")[2]
        async with open_channel(f"localhost:{port}", operator) as channel:
            assert await answer(channel) == "operator"


async def test_a_caller_that_the_table_does_not_name_is_refused_in_words(ours):
    memory, sandbox = ours.of("memory"), ours.of("sandbox-executor")
    async with echo_server(tls_dir=memory, client=sandbox) as (servicer, _, channel):
        error = await refusal(channel)
        assert servicer.asked == 0
    assert isinstance(error, errors.PermissionDenied)
    assert error.reason == "CALLER_NOT_ALLOWED"
    assert error.metadata["caller"] == "sandbox-executor"


async def test_plaintext_is_refused(ours):
    async with echo_server(tls_dir=ours.of("memory"), client=ours.of("operator")) as (
        servicer,
        server,
        _,
    ):
        async with open_channel(server.address) as channel:
            assert isinstance(await refusal(channel), errors.Unavailable)
        assert servicer.asked == 0


async def test_a_caller_without_a_certificate_is_refused(ours):
    memory = ours.of("memory")
    authority = (memory / AUTHORITY_FILE).read_bytes()
    async with echo_server(tls_dir=memory, client=ours.of("operator")) as (servicer, server, _):
        credentials = grpc.ssl_channel_credentials(authority)
        async with grpc.aio.secure_channel(server.address, credentials) as channel:
            assert isinstance(await refusal(channel), errors.Unavailable)
        assert servicer.asked == 0


async def test_a_stranger_s_certificate_is_refused_though_it_trusts_us(ours, theirs):
    memory, stranger = ours.of("memory"), theirs.of("operator")
    (stranger / AUTHORITY_FILE).write_bytes((memory / AUTHORITY_FILE).read_bytes())
    async with echo_server(tls_dir=memory, client=stranger) as (servicer, _, channel):
        assert isinstance(await refusal(channel), errors.Unavailable)
        assert servicer.asked == 0


async def test_a_stranger_s_service_is_not_taken_for_ours(ours, theirs):
    async with echo_server(tls_dir=theirs.of("memory"), client=ours.of("operator")) as (
        servicer,
        _,
        channel,
    ):
        assert isinstance(await refusal(channel), errors.Unavailable)
        assert servicer.asked == 0


async def test_a_service_of_another_name_is_not_taken_for_memory(ours):
    """A certificate is good for its own name and the loopback, and for no other host."""
    trainer, operator = ours.of("trainer"), ours.of("operator")
    async with echo_server(tls_dir=trainer) as (servicer, server, _):
        credentials = grpc.ssl_channel_credentials(
            (operator / AUTHORITY_FILE).read_bytes(),
            *_key_and_chain((operator / IDENTITY_FILE).read_bytes()),
        )
        options = [("grpc.ssl_target_name_override", "memory")]
        async with grpc.aio.secure_channel(server.address, credentials, options) as channel:
            assert isinstance(await refusal(channel), errors.Unavailable)
        assert servicer.asked == 0


@pytest.mark.parametrize("expired", ["memory", "operator"])
async def test_expired_certificates_are_refused(ours, expired):
    lives = {name: timedelta(seconds=1) if name == expired else timedelta(days=1)
             for name in ("memory", "operator")}  # fmt: skip
    paths = {name: ours.of(name, life) for name, life in lives.items()}
    await asyncio.sleep(1.5)
    async with echo_server(tls_dir=paths["memory"], client=paths["operator"]) as (
        servicer,
        _,
        channel,
    ):
        assert isinstance(await refusal(channel), errors.Unavailable)
        assert servicer.asked == 0


@pytest.mark.parametrize("damage", ["absent", "empty", "half"])
async def test_an_identity_that_cannot_be_read_is_a_sentence(ours, damage):
    memory = ours.of("memory")
    whole = (memory / IDENTITY_FILE).read_bytes()
    (memory / IDENTITY_FILE).unlink()
    if damage != "absent":
        (memory / IDENTITY_FILE).write_bytes(whole[: len(whole) // 2] if damage == "half" else b"")
    with pytest.raises(errors.FailedPrecondition) as caught:
        open_channel("127.0.0.1:1", memory)
    assert caught.value.reason == "IDENTITY_UNREADABLE"
    assert "deploy.identity issue" in caught.value.message


def _key_and_chain(pem: bytes) -> tuple[bytes, bytes]:
    cut = pem.index(b"-----BEGIN CERTIFICATE")
    return pem[:cut], pem[cut:]
