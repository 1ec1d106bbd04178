"""kill -9 in the middle of an ingest: nothing acknowledged is lost, nothing is doubled."""

import asyncio
import os
import random
from pathlib import Path

import pytest
from batos.memory.v1 import memory_pb2 as pb
from batos.memory.v1.memory_pb2_grpc import MemoryServiceStub

from shared.channel import open_channel
from tests.integration.memory.memory_process import MemoryProcess, batch, send

ROUNDS = int(os.environ.get("BATOS_KILL_ROUNDS", "5"))
BATCHES = 12
SIZE = 20


def _requests(round_number: int) -> list[pb.CreateEpisodesRequest]:
    return [
        batch(
            [f"round {round_number} batch {number} turn {turn}" for turn in range(SIZE)],
            soma=f"somas/{round_number}",
            start=number * SIZE,
        )
        for number in range(BATCHES)
    ]


async def _ingest_and_kill(memory: MemoryProcess, requests, moment: random.Random):
    """Sends batches until the process is killed; returns what was acknowledged."""
    kill_after = moment.randrange(1, BATCHES)
    acknowledged: dict[str, list[str]] = {}
    async with open_channel(memory.address) as channel:

        async def stream():
            for request in requests:
                yield request

        async for answer in MemoryServiceStub(channel).CreateEpisodes(stream()):
            acknowledged[answer.request_id] = list(answer.ids)
            if len(acknowledged) == kill_after:
                await asyncio.sleep(moment.random() * 0.01)
                break
        memory.kill()
    return acknowledged


async def _retry_and_check(memory: MemoryProcess, requests, acknowledged, total: int) -> None:
    async with open_channel(memory.address) as channel:
        stub = MemoryServiceStub(channel)
        answers = await send(stub, *requests)
        for answer in answers:
            known = acknowledged.get(answer.request_id)
            assert known is None or known == list(answer.ids)
        assert len({row_id for answer in answers for row_id in answer.ids}) == BATCHES * SIZE
        stats = await stub.GetStats(pb.GetStatsRequest(namespace="people"))
        assert stats.namespaces[0].episode_count == total
        soma = requests[0].episodes[0].soma
        for row_id, text in _some(requests, answers):
            found = await stub.Search(
                pb.SearchRequest(namespace="people", query=text, somas=[soma], limit=100)
            )
            assert (row_id, text) in [(hit.record.id, hit.record.text) for hit in found.hits]


def _some(requests, answers) -> list[tuple[str, str]]:
    pairs = [
        (row_id, episode.text)
        for request, answer in zip(requests, answers, strict=True)
        for row_id, episode in zip(answer.ids, request.episodes, strict=True)
    ]
    return random.Random(1).sample(pairs, 5)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_nothing_acknowledged_is_lost_and_nothing_is_doubled(tmp_path: Path) -> None:
    moment = random.Random(7)
    memory = MemoryProcess(tmp_path, BATOS_MEMORY_UPKEEP_SECONDS="0.1")
    for round_number in range(ROUNDS):
        requests = _requests(round_number)
        acknowledged = await _ingest_and_kill(memory, requests, moment)
        assert acknowledged
        memory = MemoryProcess(tmp_path, BATOS_MEMORY_UPKEEP_SECONDS="0.1")
        total = (round_number + 1) * BATCHES * SIZE
        await _retry_and_check(memory, requests, acknowledged, total)
    assert memory.stop() == 0
