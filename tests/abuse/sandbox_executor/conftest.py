"""The abuse cases meet the same real executor as the integration tests."""

from collections.abc import AsyncIterator

import pytest_asyncio
from batos.sandbox.v1 import sandbox_pb2 as pb

from tests.integration.sandbox_executor.conftest import executor, runsc, sandbox
from tests.integration.sandbox_executor.executor_process import DOCKER, ExecutorProcess
from tests.integration.sandbox_executor.sandbox_caller import SandboxCaller, values

__all__ = ["aftermath", "executor", "runsc", "sandbox"]

_INNOCENT = """
import os
def look():
    return {"tmp": os.listdir("/tmp"), "pids": [d for d in os.listdir("/proc") if d.isdigit()]}
"""


@pytest_asyncio.fixture(autouse=True)
async def aftermath(executor: ExecutorProcess, sandbox: SandboxCaller) -> AsyncIterator[None]:
    """After every abuse: the next run is clean, and nothing is left on the host."""
    executor.settle()
    descriptors = executor.open_descriptors()
    yield
    response = await sandbox.execute(_INNOCENT, ("look", {}))
    assert response.outcome == pb.OUTCOME_OK, response
    (seen,) = values(response)
    assert seen["tmp"] == []
    # In a container there is also the relay.
    assert len(seen["pids"]) == (2 if DOCKER else 1)
    executor.settle()
    # Connections to Docker are kept, up to so many.
    assert executor.open_descriptors() <= max(descriptors + 2, 64 if DOCKER else 0)
