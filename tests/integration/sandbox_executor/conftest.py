from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import pytest_asyncio

from deploy import install_gvisor
from shared.channel import open_channel
from tests.integration.sandbox_executor.executor_container import ExecutorContainer
from tests.integration.sandbox_executor.executor_process import CONTAINER, ExecutorProcess
from tests.integration.sandbox_executor.sandbox_caller import SandboxCaller


@pytest.fixture(scope="session")
def runsc() -> Path:
    """Real gVisor: installed where it is missing, never skipped."""
    return install_gvisor.install()


@pytest.fixture
def directory() -> Iterator[Path]:
    """Short, since sockets live in it."""
    with TemporaryDirectory(prefix="batos-", ignore_cleanup_errors=True) as path:
        yield Path(path)


@pytest.fixture(scope="session")
def executor(runsc: Path) -> Iterator[ExecutorProcess]:
    """One executor for all tests that do not break it."""
    with TemporaryDirectory(prefix="batos-", ignore_cleanup_errors=True) as path:
        process = (ExecutorContainer if CONTAINER else ExecutorProcess)(Path(path))
        process.start()
        try:
            process.wait_for_health()
            yield process
        finally:
            process.stop()


@pytest_asyncio.fixture
async def sandbox(executor: ExecutorProcess) -> AsyncIterator[SandboxCaller]:
    async with open_channel(executor.address) as channel:
        yield SandboxCaller(channel)
