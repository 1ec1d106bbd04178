"""All services, once for these tests, and the settings that lead to them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from batos.client import AsyncBatos, Batos, Settings

from deploy.local import LocalStack


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    async with LocalStack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture(scope="session")
def settings(stack: LocalStack) -> Settings:
    return settings_of(stack)


@pytest.fixture
def batos(settings: Settings):
    with Batos(settings) as client:
        yield client


@pytest_asyncio.fixture
async def async_batos(settings: Settings):
    async with AsyncBatos(settings) as client:
        yield client


def settings_of(stack: LocalStack, **others) -> Settings:
    names = ("supervisor", "memory", "toolforge", "trainer")
    return Settings(
        **{name: stack.addresses[name] for name in names if name in stack.addresses}, **others
    )
