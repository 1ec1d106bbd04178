import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from batos.toolforge.v1.toolforge_pb2_grpc import ToolForgeServiceStub

from deploy.local import LocalStack
from shared.channel import open_channel
from tests.abuse.wire.state import of_memory
from tests.abuse.wire.valid_requests import TOOLFORGE

# Short answers and many places: what is tried here is what comes in, not what comes out.
SETTINGS = {
    "BATOS_SUPERVISOR_ANSWER_TOKENS": "8",
    "BATOS_TOOLFORGE_TOKEN_LIMIT": "64",
    "BATOS_TOOLFORGE_QUEUE_LIMIT": "2000",
    "BATOS_SANDBOX_POOL_SIZE": "4",
}


async def _indexed(address: str) -> None:
    """Until Memory knows the tool: that comes by itself, and is no doing of the tests."""
    async with open_channel(address) as channel, asyncio.timeout(30):
        while not await of_memory(channel):
            await asyncio.sleep(0.1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    """All services, and one registered tool."""
    directory = tmp_path_factory.mktemp("stack")
    async with LocalStack(directory, settings=SETTINGS) as running:
        async with open_channel(running.addresses["toolforge"]) as channel:
            await ToolForgeServiceStub(channel).RegisterTool(TOOLFORGE["RegisterTool"]())
        await _indexed(running.addresses["memory"])
        yield running
        assert running.died() == []
        for process in running.processes.values():
            assert "unhandled error" not in process.log.read_text()
