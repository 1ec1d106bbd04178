"""A rated turn leads to a training run by itself: real services, nobody asks for it."""

from __future__ import annotations

import asyncio

import pytest
from batos.supervisor.v1 import supervisor_pb2 as pb

from tests.integration.images.world import fresh, world

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


async def test_a_run_begins_by_itself_and_the_journal_says_why(tmp_path):
    settings = {
        "BATOS_SUPERVISOR_AUTOLEARN_EXAMPLES": "1",
        "BATOS_SUPERVISOR_AUTOLEARN_IDLE_MINUTES": "0.02",
        "BATOS_SUPERVISOR_AUTOLEARN_BUSY": "1000",
    }
    async with world(tmp_path, **settings) as here:
        told = await here.say("My boat is called Ondine.")
        await asyncio.sleep(2)
        assert await here.runs() == []
        await here.supervisor.RateSoma(
            pb.RateSomaRequest(
                request_id=fresh(), soma=told.soma, turn_number=1, rating=pb.RATING_GOOD
            )
        )
        async with asyncio.timeout(30):
            while not (runs := await here.runs()):
                await asyncio.sleep(0.2)
        assert [run.persona for run in runs] == ["ROBIN"]
        kinds = {event.kind: event.message for event in await here.events()}
        assert runs[0].name in kinds[pb.EVENT_KIND_AUTOLEARN_BEGUN]
