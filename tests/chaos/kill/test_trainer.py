"""`kill -9` of the Trainer inside each of its mutations."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from batos.supervisor.v1 import supervisor_pb2
from batos.supervisor.v1.supervisor_pb2_grpc import SupervisorServiceStub
from batos.toolforge.v1.toolforge_pb2_grpc import ToolForgeServiceStub
from batos.trainer.v1 import trainer_pb2 as pb
from batos.trainer.v1.trainer_pb2_grpc import TrainerServiceStub
from google.protobuf.duration_pb2 import Duration

from deploy.local import LocalStack
from shared.channel import open_channel
from tests.chaos.kill.load import Load, killed_under_load
from tests.chaos.kill.test_toolforge import registration
from tests.chaos.kill.victim import Victim, killed_everywhere, victim
from tests.integration.supervisor.client import fresh

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

PEERS = ("memory", "sandbox-executor", "supervisor", "toolforge", "model-server")
TOOLS = 6


@pytest.fixture
async def peers(tmp_path: Path) -> AsyncIterator[LocalStack]:
    """Golden examples are there, and somebody else has the GPU: runs get no further."""
    async with LocalStack(tmp_path / "peers", services=PEERS) as stack:
        async with open_channel(stack.addresses["toolforge"]) as channel:
            for _ in range(TOOLS):
                await ToolForgeServiceStub(channel).RegisterTool(registration())
        async with open_channel(stack.addresses["supervisor"]) as channel:
            claim = supervisor_pb2.AcquireGpuLeaseRequest(
                request_id=fresh(), holder="tests/1", ttl=Duration(seconds=600)
            )
            await SupervisorServiceStub(channel).AcquireGpuLease(claim)
        yield stack


@pytest.fixture
async def trainer(tmp_path: Path, peers: LocalStack) -> AsyncIterator[Victim]:
    settings = {
        "OLLAMA_HOST": f"http://{peers.addresses['model-server']}",
        "BATOS_SANDBOX_ADDRESS": peers.addresses["sandbox-executor"],
        "BATOS_SUPERVISOR_ADDRESS": peers.addresses["supervisor"],
        "BATOS_TOOLFORGE_ADDRESS": peers.addresses["toolforge"],
    }
    async with victim("trainer", tmp_path, **settings) as service:
        yield service


@pytest.fixture
def stub(trainer: Victim) -> TrainerServiceStub:
    return TrainerServiceStub(trainer.channel)


async def runs(stub) -> list[pb.TrainingRun]:
    return list(
        (await stub.ListTrainingRuns(pb.ListTrainingRunsRequest(page_size=500))).training_runs
    )


async def stop(stub, name: str) -> pb.TrainingRun:
    request = pb.CancelTrainingRunRequest(request_id=fresh(), name=name)
    return (await stub.CancelTrainingRun(request)).training_run


async def test_building_a_dataset(trainer, stub):
    async def make():
        return pb.BuildDatasetRequest(request_id=fresh(), persona="BRICK")

    async def check(request, answer):
        dataset = answer.dataset
        assert dataset.train_count + dataset.heldout_count + dataset.duplicate_count == TOOLS

    await killed_everywhere(trainer, "BuildDataset", make, stub.BuildDataset, check, points=2)


async def test_importing_examples(trainer, stub):
    async def make():
        rows = [f'{{"instruction": "Say {fresh()}.", "output": "{n}"}}' for n in range(3)]
        return pb.ImportExamplesRequest(
            request_id=fresh(), persona="BABS", shape=pb.EXAMPLE_SHAPE_ALPACA, rows=rows
        )

    async def check(request, answer):
        assert (answer.imported_count, answer.duplicate_count) == (3, 0)

    await killed_everywhere(trainer, "ImportExamples", make, stub.ImportExamples, check, points=2)


async def named(stub, request: pb.StartTrainingRunRequest) -> pb.StartTrainingRunResponse:
    """Its name: how it stands may change from one answer to the next."""
    name = (await stub.StartTrainingRun(request)).training_run.name
    return pb.StartTrainingRunResponse(training_run=pb.TrainingRun(name=name))


async def test_beginning_a_run(trainer, stub):
    before: set[str] = set()

    async def make():
        before.update(run.name for run in await runs(stub))
        return pb.StartTrainingRunRequest(request_id=fresh(), persona="BRICK")

    async def check(request, answer):
        assert {run.name for run in await runs(stub)} - before == {answer.training_run.name}
        await stop(stub, answer.training_run.name)

    await killed_everywhere(
        trainer, "StartTrainingRun", make, lambda r: named(stub, r), check, points=2
    )


async def begun(stub) -> str:
    request = pb.StartTrainingRunRequest(request_id=fresh(), persona="BRICK")
    return (await stub.StartTrainingRun(request)).training_run.name


async def waits_for_the_gpu(stub, name: str) -> None:
    async with asyncio.timeout(30):
        async for response in stub.WatchTrainingRun(pb.WatchTrainingRunRequest(name=name)):
            if response.event.state == pb.TRAINING_STATE_WAITING_FOR_GPU:
                return


async def ended_once(stub, request, answer) -> None:
    assert answer.training_run.state == pb.TRAINING_STATE_CANCELLED
    watch = stub.WatchTrainingRun(pb.WatchTrainingRunRequest(name=request.name))
    async with asyncio.timeout(30):
        states = [r.event.state async for r in watch]
    assert states.count(pb.TRAINING_STATE_CANCELLED) == 1
    assert states[-1] == pb.TRAINING_STATE_CANCELLED


async def test_stopping_a_run(trainer, stub):
    async def make():
        name = await begun(stub)
        await waits_for_the_gpu(stub, name)
        return pb.CancelTrainingRunRequest(request_id=fresh(), name=name)

    async def check(request, answer):
        await ended_once(stub, request, answer)

    await killed_everywhere(
        trainer, "CancelTrainingRun", make, stub.CancelTrainingRun, check, points=4
    )


async def test_stopping_a_run_whose_turn_has_not_come(trainer, stub):
    await waits_for_the_gpu(stub, await begun(stub))

    async def make():
        return pb.CancelTrainingRunRequest(request_id=fresh(), name=await begun(stub))

    async def check(request, answer):
        await ended_once(stub, request, answer)

    await killed_everywhere(
        trainer, "CancelTrainingRun", make, stub.CancelTrainingRun, check, points=2
    )


async def test_under_load(trainer, stub):
    names: list[str] = []

    async def caller(load: Load) -> None:
        for _ in range(4):
            build = pb.BuildDatasetRequest(request_id=fresh(), persona="BRICK")
            dataset = (await load.ask(stub.BuildDataset, build)).dataset
            start = pb.StartTrainingRunRequest(
                request_id=fresh(), persona="BRICK", dataset=dataset.name
            )
            name = (await load.ask(lambda r: named(stub, r), start)).training_run.name
            names.append(name)
            stop = pb.CancelTrainingRunRequest(request_id=fresh(), name=name)
            stopped = (await load.ask(stub.CancelTrainingRun, stop)).training_run
            assert stopped.state == pb.TRAINING_STATE_CANCELLED

    await killed_under_load(trainer, [caller] * 3, total=36, seed=3)
    assert sorted(run.name for run in await runs(stub)) == sorted(names)
