from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest
from batos.memory.v1.memory_pb2_grpc import MemoryServiceStub

from shared.channel import open_channel
from tests.integration.memory.memory_process import MemoryProcess
from tests.integration.supervisor.peers import model_server, models

__all__ = ["model_server", "models"]


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MemoryProcess]:
    data_dir: Path = tmp_path_factory.mktemp("memory")
    process = MemoryProcess(data_dir, BATOS_MEMORY_UPKEEP_SECONDS="0.2")
    yield process
    process.stop()


@pytest.fixture
async def channel(memory: MemoryProcess) -> AsyncIterator[grpc.aio.Channel]:
    channel = open_channel(memory.address)
    yield channel
    await channel.close()


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> MemoryServiceStub:
    return MemoryServiceStub(channel)
