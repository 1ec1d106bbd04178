"""`kill -9` of everyone who takes part in a run, in every state of it.

Whoever is killed and whenever: the run ends in a typed way, the persona's pointer names a model
that is there with the digest that it names, the GPU is nobody's, and no worker is left.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import ollama
import pytest
import pytest_asyncio
from batos.supervisor.v1 import supervisor_pb2
from batos.trainer.v1 import trainer_pb2 as pb

from deploy.local import LocalStack
from tests.chaos.kill.victim import STEP
from tests.integration.trainer.conftest import (
    PERSONA,
    SOMAS,
    Neighbourhood,
    figures_of,
    request_id,
    settings_for,
)
from tests.integration.trainer.worker_processes import is_gone, worker_of, workers_of

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

STATES = ("PREPARING", "WAITING_FOR_GPU", "TRAINING", "EXPORTING", "EVALUATING", "SWAPPING")
SERVICES = ("trainer", "supervisor", "model-server")
TABLE = [
    *((state, victim) for state in STATES for victim in SERVICES),
    ("WAITING_FOR_GPU", "worker"),
    ("TRAINING", "worker"),
]
GOOD_ENDS = {pb.TRAINING_STATE_SUCCEEDED, pb.TRAINING_STATE_REJECTED, pb.TRAINING_STATE_FAILED}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def neighbours(
    tiny_base: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Neighbourhood]:
    stack = LocalStack(
        tmp_path_factory.mktemp("transitions"),
        services=("model-server", "supervisor", "trainer"),
        settings={**settings_for(tiny_base), "BATOS_TRAINER_PEER_WAIT_SECONDS": "20"},
    )
    async with stack:
        running = Neighbourhood(stack)
        await running.correct_somas(SOMAS)
        yield running
        await running.close()


async def kill(neighbours: Neighbourhood, victim: str) -> None:
    """Ends the victim at once, and brings a service back."""
    trainer = neighbours.stack.processes["trainer"]
    before = workers_of(trainer.pid)
    if victim == "worker":
        os.kill(worker_of(trainer.pid), signal.SIGKILL)
        return
    await neighbours.stack.processes[victim].kill()
    if victim == "trainer":
        assert all([await is_gone(pid) for pid in before]), "a worker outlived its Trainer"
    await neighbours.stack.restart(victim)


async def assert_all_is_well(neighbours: Neighbourhood, run: pb.TrainingRun, tag: str) -> None:
    """What must hold however a run has ended; `tag` is what the persona spoke with before."""
    async with asyncio.timeout(90):
        while (found := await neighbours.persona()).serving_state != (
            supervisor_pb2.SERVING_STATE_SERVING
        ):
            await asyncio.sleep(0.2)
    pointer = found.persona.model
    expected = run.model if run.state == pb.TRAINING_STATE_SUCCEEDED else tag
    assert pointer.tag == expected, figures_of(run)
    client = ollama.AsyncClient(f"http://{neighbours.stack.addresses['model-server']}")
    listed = {model.model: model.digest for model in (await client.list()).models}
    digest = listed.get(pointer.tag) or listed.get(f"{pointer.tag}:latest")
    assert digest, "the pointer names a model that is not there"
    assert pointer.digest in ("", digest)
    assert not workers_of(neighbours.stack.processes["trainer"].pid)


async def roll_back(neighbours: Neighbourhood) -> None:
    request = supervisor_pb2.RollBackPersonaRequest(request_id=request_id(), persona=PERSONA)
    await neighbours.supervisor.RollBackPersona(request)


@pytest.mark.parametrize(("state", "victim"), TABLE[::STEP])
async def test_whoever_is_killed_in_whatever_state(
    neighbours: Neighbourhood, state: str, victim: str
) -> None:
    before = (await neighbours.persona()).persona.model.tag
    started = await neighbours.start()
    async with asyncio.timeout(180):
        await neighbours.until(started.name, state)
    await kill(neighbours, victim)
    async with asyncio.timeout(240):
        run = await neighbours.end(started.name)
    assert run.state in GOOD_ENDS, figures_of(run)
    assert run.state == pb.TRAINING_STATE_SUCCEEDED or run.failure
    await assert_all_is_well(neighbours, run, before)
    if run.state == pb.TRAINING_STATE_SUCCEEDED:
        await roll_back(neighbours)
