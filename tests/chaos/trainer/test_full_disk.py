"""The Trainer's disk fills up while it exports: a typed end, the incumbent serves, all is freed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from batos.supervisor.v1 import supervisor_pb2
from batos.trainer.v1 import trainer_pb2 as pb

from deploy.local import LocalStack
from tests.chaos.small_disk import MIB, fill, mounted
from tests.integration.trainer.conftest import Neighbourhood

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

# Room for the data set, the log and a checkpoint of one step, and not for the merged model.
SPARE = 9 * MIB
SERVICES = ("model-server", "supervisor", "toolforge", "sandbox-executor", "trainer")
ONE_STEP = pb.Hyperparameters(max_steps=1, batch_size=1)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """The Trainer's data directory, a file system of 64 MiB."""
    with mounted(tmp_path / "data" / "trainer", "64m") as path:
        yield path


async def test_a_run_that_cannot_be_exported_ends_typed(disk: Path, tmp_path: Path) -> None:
    async with LocalStack(tmp_path / "data", services=SERVICES) as stack:
        neighbours = Neighbourhood(stack)
        await neighbours.correct_somas(8)
        ballast = fill(disk, SPARE)
        run = await neighbours.end((await neighbours.start(hyperparameters=ONE_STEP)).name)
        assert run.state == pb.TRAINING_STATE_FAILED
        assert run.failure_reason == "DISK_FULL", run.failure
        states = [event.state async for event in neighbours.events(run.name)]
        assert pb.TRAINING_STATE_EXPORTING in states, "it came as far as the export"
        persona = await neighbours.persona()
        assert persona.serving_state == supervisor_pb2.SERVING_STATE_SERVING
        assert persona.persona.model.tag == "starter"
        assert await neighbours.model_tags() == ["starter:latest"]
        ballast.unlink()
        again = await neighbours.end((await neighbours.start(hyperparameters=ONE_STEP)).name)
        assert again.state in (pb.TRAINING_STATE_SUCCEEDED, pb.TRAINING_STATE_REJECTED)
        await neighbours.close()
