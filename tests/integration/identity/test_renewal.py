"""Certificates are renewed under load, on both sides, and no call fails by it."""

import asyncio
from datetime import timedelta

from batos.memory.v1 import memory_pb2 as pb
from batos.memory.v1.memory_pb2_grpc import MemoryServiceStub

from shared.channel import open_channel
from tests.integration.shared.echo import echo_server

LIFE = timedelta(seconds=6)
ROUNDS = 3
NAMES = ("memory", "operator")


async def calls_without_end(stub, done: asyncio.Event) -> int:
    count = 0
    while not done.is_set():
        await stub.GetStats(pb.GetStatsRequest(namespace="caller"), timeout=5)
        count += 1
        await asyncio.sleep(0.002)
    return count


async def one_long_stream(stub, done: asyncio.Event) -> int:
    async def batches():
        while not done.is_set():
            yield pb.CreateEpisodesRequest(request_id="x")
            await asyncio.sleep(0.05)

    return sum([1 async for _ in stub.CreateEpisodes(batches(), timeout=60)])


async def test_no_call_fails_while_certificates_are_renewed_and_the_old_ones_expire(ours):
    memory, operator = (ours.of(name, LIFE) for name in NAMES)
    async with echo_server(tls_dir=memory, client=operator) as (_, server, channel):
        stub, done = MemoryServiceStub(channel), asyncio.Event()
        load = [asyncio.create_task(calls_without_end(stub, done)) for _ in range(4)]
        stream = asyncio.create_task(one_long_stream(stub, done))
        for _ in range(ROUNDS):
            await asyncio.sleep(LIFE.total_seconds() * 2 / 3)
            for name in NAMES:
                ours.of(name, LIFE)
            # Newcomers shake hands with what is there now; the first certificates expire meanwhile.
            async with open_channel(server.address, operator) as newcomer:
                await MemoryServiceStub(newcomer).GetStats(pb.GetStatsRequest(), timeout=5)
        done.set()
        assert sum(await asyncio.gather(*load)) > 500
        assert await stream > 100


async def test_replaced_channels_are_closed_once_their_calls_have_ended(ours):
    memory, operator = (ours.of(name) for name in NAMES)
    async with echo_server(tls_dir=memory, client=operator) as (_, _, channel):
        stub = MemoryServiceStub(channel)
        begun = asyncio.ensure_future(stub.GetStats(pb.GetStatsRequest(namespace="brief")))
        await asyncio.sleep(0.3)
        old = channel._newest.channel
        ours.of("operator")
        await asyncio.sleep(1.1)  # the next glance at the files
        assert (await stub.GetStats(pb.GetStatsRequest(namespace="caller"))).embedder == "operator"
        assert channel._newest.channel is not old
        assert (await begun).embedder == "finished"
        async with asyncio.timeout(2):
            while old.get_state().name != "SHUTDOWN":
                await asyncio.sleep(0.01)


async def test_half_written_files_leave_the_identity_as_it_was(ours):
    memory, operator = (ours.of(name) for name in NAMES)
    async with echo_server(tls_dir=memory, client=operator) as (_, server, channel):
        stub = MemoryServiceStub(channel)
        for path in (memory / "identity.pem", operator / "identity.pem"):
            path.write_bytes(path.read_bytes()[:100])
        await asyncio.sleep(1.1)
        assert await stub.GetStats(pb.GetStatsRequest(), timeout=5)
        ours.of("memory")
        ours.of("operator")
        async with open_channel(server.address, operator) as newcomer:
            assert await MemoryServiceStub(newcomer).GetStats(pb.GetStatsRequest(), timeout=5)
