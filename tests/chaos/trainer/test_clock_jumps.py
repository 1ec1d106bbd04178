"""The wall clock jumps by days, both ways, in the middle of a run: it goes on, and ends as ever."""

from __future__ import annotations

from pathlib import Path

import pytest
from batos.supervisor.v1 import supervisor_pb2
from batos.trainer.v1 import trainer_pb2 as pb

from deploy.local import LocalStack
from tests.integration.shifted_clock import DAY, Clock
from tests.integration.trainer.conftest import SOMAS, Neighbourhood, settings_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SERVICES = ("model-server", "supervisor", "toolforge", "sandbox-executor", "trainer")


async def test_a_run_goes_on(tiny_base: Path, tmp_path: Path, clock: Clock) -> None:
    environment, jump = clock
    settings = settings_for(tiny_base) | environment
    async with LocalStack(tmp_path / "data", services=SERVICES, settings=settings) as stack:
        neighbours = Neighbourhood(stack)
        await neighbours.correct_somas(SOMAS)
        run = await neighbours.start()
        await neighbours.until(run.name, "TRAINING", step=5)
        jump(400 * DAY)
        await neighbours.until(run.name, "TRAINING", step=20)
        jump(-400 * DAY)
        await neighbours.until(run.name, "EXPORTING")
        jump(DAY)
        ended = await neighbours.end(run.name)
        assert ended.state == pb.TRAINING_STATE_SUCCEEDED, ended.failure
        persona = await neighbours.persona()
        assert persona.serving_state == supervisor_pb2.SERVING_STATE_SERVING
        assert persona.persona.model.tag == ended.model
        events = [event.sequence async for event in neighbours.events(run.name)]
        assert events == sorted(set(events))
        await neighbours.close()
