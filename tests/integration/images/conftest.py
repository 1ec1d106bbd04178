"""A running system, and a clock that tests set."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.images.world import World, world
from tests.integration.shifted_clock import clock

__all__ = ["clock", "here"]


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path / "a") as running:
        yield running
