from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.integration.toolforge.workshop import Workshop, workshop


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Workshop]:
    """One set of processes for all tests of this package that do not break it."""
    async with workshop(tmp_path_factory.mktemp("workshop")) as running:
        yield running
