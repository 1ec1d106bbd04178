"""Days go by: what was told on one is known on the next, with its date, also after a load."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.images.world import World, world
from tests.integration.shifted_clock import DAY, Clock

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

FACT = "My sister's cello is called Montagnana."
QUESTION = "What is my sister's cello called?"


async def asked(here: World) -> tuple[str, datetime]:
    """What the persona was told to know of the fact, and when it answered."""
    turn = (await here.say(QUESTION)).turn
    lines = [line for line in turn.system_text.splitlines() if FACT in line]
    assert len(lines) == 1, turn.system_text
    return lines[0], turn.created_at.ToDatetime(tzinfo=UTC)


async def test_a_fact_of_day_one_is_used_on_day_two_and_after_a_load(
    tmp_path: Path, clock: Clock
) -> None:
    environment, jump = clock
    async with world(tmp_path / "data", **environment) as here:
        first = (await here.say(FACT)).turn.created_at.ToDatetime(tzinfo=UTC)
        image = await here.save()
        async with asyncio.timeout(20):
            while FACT not in await here.remembered("cello"):
                await asyncio.sleep(0.1)

        jump(DAY)
        line, answered = await asked(here)
        assert line == f"- {first:%Y-%m-%d} user: {FACT}"
        assert timedelta(hours=23) < answered - first < timedelta(hours=25)

        jump(40 * DAY)
        await here.load(image.name)
        line, answered = await asked(here)
        assert line == f"- {first:%Y-%m-%d} user: {FACT}"
        assert answered - first > timedelta(days=39)
