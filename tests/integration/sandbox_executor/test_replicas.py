"""Replicas behind one name: what is lost with one of them, and what is not."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from batos.sandbox.v1 import sandbox_pb2 as pb

from shared.channel import open_channel
from tests.integration.sandbox_executor.executor_process import ExecutorProcess
from tests.integration.sandbox_executor.sandbox_caller import SandboxCaller

RUNS = 4


@pytest.fixture
def replicas(runsc: Path, directory: Path) -> Iterator[list[ExecutorProcess]]:
    processes = [ExecutorProcess(directory / name) for name in ("a", "b")]
    for process in processes:
        process.start()
    for process in processes:
        process.wait_for_health()
        process.settle()
    yield processes
    for process in processes:
        process.stop()


@pytest_asyncio.fixture
async def both(replicas: list[ExecutorProcess]) -> AsyncIterator[SandboxCaller]:
    channel = open_channel("ipv4:" + ",".join(process.address for process in replicas))
    yield SandboxCaller(channel)
    await channel.close()


async def outcome(caller: SandboxCaller, source: str) -> int | grpc.StatusCode:
    try:
        return (await caller.execute(source, wall=8)).outcome
    except grpc.aio.AioRpcError as error:
        return error.code()


async def test_losing_a_replica_loses_its_runs_only(
    replicas: list[ExecutorProcess], both: SandboxCaller
) -> None:
    source = "import time; time.sleep(3)"
    warm = [outcome(both, "print(1)") for _ in range(RUNS)]
    assert await asyncio.gather(*warm) == [pb.OUTCOME_OK] * RUNS
    for process in replicas:
        process.settle()
    runs = [asyncio.create_task(outcome(both, source)) for _ in range(RUNS)]
    await asyncio.sleep(1.5)
    lost = busy(replicas[0])
    replicas[0].stop(signal.SIGKILL)
    ended = await asyncio.gather(*runs)
    assert 0 < lost < RUNS
    assert ended.count(grpc.StatusCode.UNAVAILABLE) == lost, ended
    assert ended.count(pb.OUTCOME_OK) == RUNS - lost, ended
    after = [outcome(both, "print(1)") for _ in range(RUNS)]
    assert await asyncio.gather(*after) == [pb.OUTCOME_OK] * RUNS


def busy(process: ExecutorProcess) -> int:
    """Runs under way there."""
    return process.capacity().busy_count
