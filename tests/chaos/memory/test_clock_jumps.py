"""The wall clock jumps, by years and both ways, while Memory works."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from batos.memory.v1 import memory_pb2 as pb
from batos.memory.v1.memory_pb2_grpc import MemoryServiceStub

from shared.channel import open_channel
from tests.integration.memory.memory_process import MemoryProcess, request_id, send
from tests.integration.shifted_clock import DAY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

JUMPS = (0, 400 * DAY, -800 * DAY, 2 * DAY, -3600)


def request(number: int) -> pb.CreateEpisodesRequest:
    """A batch of which the service says when."""
    episodes = [
        pb.NewEpisode(soma="somas/1", speaker="user", text=f"jump {number} turn {turn}")
        for turn in range(20)
    ]
    return pb.CreateEpisodesRequest(request_id=request_id(), namespace="people", episodes=episodes)


async def test_nothing_is_lost_doubled_or_refused(tmp_path: Path, clock) -> None:
    environment, jump = clock
    settings = {"BATOS_MEMORY_UPKEEP_SECONDS": "0.2", **environment}
    memory = MemoryProcess(tmp_path / "memory", **settings)
    requests = [request(number) for number in range(len(JUMPS))]
    answers = []
    async with open_channel(memory.address) as channel:
        stub = MemoryServiceStub(channel)
        for seconds, said in zip(JUMPS, requests, strict=True):
            jump(seconds)
            answers += await send(stub, said)
            await asyncio.sleep(0.5)  # upkeep runs
            # The answers of the day before are kept no more; the rows are.
            assert [list(a.ids) for a in await send(stub, *requests[: len(answers)])] == [
                list(a.ids) for a in answers
            ]
            found = await stub.Search(
                pb.SearchRequest(namespace="people", query=said.episodes[3].text, recency_weight=1)
            )
            hit = next(h for h in found.hits if h.record.id == answers[-1].ids[3])
            assert 0 <= hit.parts.bonus <= 1
            moment = hit.record.created_at.ToDatetime(tzinfo=UTC)
            assert abs(moment - datetime.now(UTC) - timedelta(seconds=seconds)) < timedelta(hours=1)
            await stub.Optimize(pb.OptimizeRequest())
        forgotten = await stub.Forget(
            pb.ForgetRequest(
                request_id=request_id(),
                namespace="people",
                ids=pb.RecordIds(ids=answers[0].ids[:5]),
            )
        )
        assert forgotten.forgotten_count == 5
        jump(-4000 * DAY)
        await stub.Optimize(pb.OptimizeRequest())
    assert memory.stop() == 0
    assert not [line for line in memory.lines if '"level": "error"' in line]
    again = MemoryProcess(tmp_path / "memory")
    async with open_channel(again.address) as channel:
        stats = await MemoryServiceStub(channel).GetStats(pb.GetStatsRequest())
        assert stats.namespaces[0].episode_count == len(JUMPS) * 20 - 5
    assert again.stop() == 0
