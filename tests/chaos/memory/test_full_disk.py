"""A full disk: RESOURCE_EXHAUSTED, nothing acknowledged is lost, and it goes on once there is room.

The data lie on a file system of their own, of some MiB, that a test fills up.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest
from batos.memory.v1 import memory_pb2 as pb
from batos.memory.v1.memory_pb2_grpc import MemoryServiceStub

from shared.channel import open_channel
from shared.errors import ResourceExhausted
from shared.rpc_status import from_rpc_error
from tests.chaos.small_disk import MIB, fill, mounted
from tests.integration.memory.memory_process import MemoryProcess, batch, request_id, send

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SIZE = 200


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB."""
    with mounted(tmp_path / "disk", "24m") as disk:
        yield disk


@contextlib.asynccontextmanager
async def connected(memory: MemoryProcess) -> AsyncIterator[MemoryServiceStub]:
    async with open_channel(memory.address) as channel:
        yield MemoryServiceStub(channel)


async def attempt(stub: MemoryServiceStub, request: pb.CreateEpisodesRequest) -> list[str]:
    """The acknowledged ids, or the error."""
    try:
        (answer,) = await send(stub, request)
    except grpc.RpcError as error:
        raise from_rpc_error(error) from None
    return list(answer.ids)


async def filled(stub: MemoryServiceStub) -> tuple[list[pb.CreateEpisodesRequest], list[str]]:
    """Sends batches until one is refused; returns all requests, and the acknowledged ids."""
    requests, ids = [], []
    for number in range(200):
        texts = [f"batch {number} turn {turn} {'x' * 300}" for turn in range(SIZE)]
        requests.append(batch(texts, start=number * SIZE))
        try:
            ids += await attempt(stub, requests[-1])
        except ResourceExhausted:
            return requests, ids
    raise AssertionError("the disk was never full")


async def stored(stub: MemoryServiceStub) -> int:
    (stats,) = (await stub.GetStats(pb.GetStatsRequest(namespace="people"))).namespaces
    return int(stats.episode_count)


async def test_nothing_acknowledged_is_lost_and_it_goes_on(small_disk: Path) -> None:
    memory = MemoryProcess(small_disk / "memory", BATOS_MEMORY_UPKEEP_SECONDS="0.5")
    async with connected(memory) as stub:
        await send(stub, batch(["The first words."], soma="somas/0"))
        file = fill(small_disk, spare=4 * MIB)
        requests, ids = await filled(stub)
        assert ids
        # It answers what it can, and says the same again.
        found = await stub.Search(pb.SearchRequest(namespace="people", query="The first words"))
        assert found.hits[0].record.text == "The first words."
        with pytest.raises(ResourceExhausted):
            await attempt(stub, requests[-1])
        file.unlink()
        answers = await send(stub, *requests)
        assert {row_id for answer in answers for row_id in answer.ids} >= set(ids)
        assert await stored(stub) == 1 + len(requests) * SIZE
    assert memory.stop() == 0


async def test_killed_on_a_full_disk_it_starts_again(small_disk: Path) -> None:
    memory = MemoryProcess(small_disk / "memory", BATOS_MEMORY_UPKEEP_SECONDS="0.2")
    async with connected(memory) as stub:
        file = fill(small_disk, spare=3 * MIB)
        requests, ids = await filled(stub)
        await asyncio.sleep(1)  # upkeep finds no room either
    memory.kill()
    file.unlink()
    again = MemoryProcess(small_disk / "memory")
    async with connected(again) as stub:
        answers = await send(stub, *requests)
        assert {row_id for answer in answers for row_id in answer.ids} >= set(ids)
        assert await stored(stub) == len(requests) * SIZE
        gone = pb.ForgetRequest(request_id=request_id(), namespace="people", whole_namespace=True)
        assert (await stub.Forget(gone)).forgotten_count == len(requests) * SIZE
    assert again.stop() == 0
