"""Training runs among real neighbours: from golden examples to the swap, and every other end.

The tests share one set of services and come in this order, as the last ones change the persona.
"""

from __future__ import annotations

import asyncio
import os
import signal

import grpc
import pytest
from batos.supervisor.v1 import supervisor_pb2
from batos.trainer.v1 import trainer_pb2

from shared.rpc_status import from_rpc_error
from tests.integration.trainer.conftest import SOMAS, Neighbourhood, figures_of, request_id
from tests.integration.trainer.worker_processes import is_gone, worker_of, workers_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

LONG = trainer_pb2.Hyperparameters(max_steps=2000)


async def assert_incumbent_stays(neighbourhood: Neighbourhood) -> None:
    persona = await neighbourhood.persona()
    assert persona.serving_state == supervisor_pb2.SERVING_STATE_SERVING
    assert persona.persona.model.tag == "starter"
    assert not workers_of(neighbourhood.stack.processes["trainer"].pid)


async def test_what_can_never_work_is_refused_at_once(neighbourhood: Neighbourhood) -> None:
    refusals = {
        "NOT_FOUND": {"persona": "NOBODY"},
        "ENGINE_UNAVAILABLE": {"engine": "unsloth"},
        "INVALID_ARGUMENT": {"engine": "magic"},
        "NO_SUCH_DATASET": {"dataset": "datasets/0123456789abcdef"},
    }
    for reason, fields in refusals.items():
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await neighbourhood.start(**fields)
        assert from_rpc_error(refused.value).reason == reason


async def test_a_persona_without_golden_examples_fails_typed(
    neighbourhood: Neighbourhood,
) -> None:
    run = await neighbourhood.start(persona="BABS")
    run = await neighbourhood.end(run.name)
    assert run.state == trainer_pb2.TRAINING_STATE_FAILED
    assert "no golden examples yet" in run.failure
    await assert_incumbent_stays(neighbourhood)


async def test_a_dataset_is_built_once(neighbourhood: Neighbourhood) -> None:
    request = trainer_pb2.BuildDatasetRequest(request_id=request_id(), persona="ROBIN")
    first = (await neighbourhood.trainer.BuildDataset(request)).dataset
    again = (await neighbourhood.trainer.BuildDataset(request)).dataset
    request.request_id = request_id()
    anew = (await neighbourhood.trainer.BuildDataset(request)).dataset

    assert first == again == anew
    assert (first.train_count, first.heldout_count) == (SOMAS * 3 // 4, SOMAS // 4)
    assert dict(first.source_counts) == {"correction": SOMAS}
    assert first.name == f"datasets/{first.sha256[:16]}"


async def test_a_worker_killed_early_is_a_typed_failure(neighbourhood: Neighbourhood) -> None:
    run = await neighbourhood.start()
    await neighbourhood.until(run.name, "WAITING_FOR_GPU")

    os.kill(worker_of(neighbourhood.stack.processes["trainer"].pid), signal.SIGKILL)
    run = await neighbourhood.end(run.name)

    assert run.state == trainer_pb2.TRAINING_STATE_FAILED
    assert "the training worker ended by SIGKILL" in run.failure
    await assert_incumbent_stays(neighbourhood)


async def test_cancel_ends_the_worker_and_frees_the_gpu(neighbourhood: Neighbourhood) -> None:
    run = await neighbourhood.start(hyperparameters=LONG)
    queued = await neighbourhood.start(hyperparameters=LONG)
    await neighbourhood.until(run.name, "TRAINING", "step")

    for name in (queued.name, run.name):
        request = trainer_pb2.CancelTrainingRunRequest(request_id=request_id(), name=name)
        first = (await neighbourhood.trainer.CancelTrainingRun(request)).training_run
        again = (await neighbourhood.trainer.CancelTrainingRun(request)).training_run
        assert first.state == again.state == trainer_pb2.TRAINING_STATE_CANCELLED
        assert again.failure == "stopped by its owner"
    await assert_incumbent_stays(neighbourhood)


async def test_runs_are_listed_repeated_and_watched_on(neighbourhood: Neighbourhood) -> None:
    request = trainer_pb2.StartTrainingRunRequest(request_id=request_id(), persona="BABS")
    answers = await asyncio.gather(
        *(neighbourhood.trainer.StartTrainingRun(request) for _ in range(4))
    )
    (name,) = {answer.training_run.name for answer in answers}
    request.persona = "ROBIN"
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await neighbourhood.trainer.StartTrainingRun(request)
    assert from_rpc_error(refused.value).reason == "REQUEST_ID_REUSED"

    await neighbourhood.end(name)
    events = [event async for event in neighbourhood.events(name)]
    later = trainer_pb2.WatchTrainingRunRequest(name=name, after_sequence=2)
    assert [e.event async for e in neighbourhood.trainer.WatchTrainingRun(later)] == events[2:]

    names, token = [], ""
    while not names or token:
        page = await neighbourhood.trainer.ListTrainingRuns(
            trainer_pb2.ListTrainingRunsRequest(page_size=2, page_token=token)
        )
        names += [run.name for run in page.training_runs]
        token = page.next_page_token
    assert names == sorted(set(names), reverse=True)
    assert names[0] == name


@pytest.mark.slow
async def test_a_silent_worker_loses_the_lease_and_is_killed(
    neighbourhood: Neighbourhood,
) -> None:
    run = await neighbourhood.start(hyperparameters=LONG)
    await neighbourhood.until(run.name, "TRAINING", "step")
    worker = worker_of(neighbourhood.stack.processes["trainer"].pid)

    os.kill(worker, signal.SIGSTOP)
    run = await neighbourhood.end(run.name)

    assert run.state == trainer_pb2.TRAINING_STATE_FAILED
    assert run.failure == "the GPU lease was lost"
    assert await is_gone(worker)
    await assert_incumbent_stays(neighbourhood)


@pytest.mark.slow
async def test_without_a_model_server_the_run_fails_and_says_so(
    neighbourhood: Neighbourhood,
) -> None:
    run = await neighbourhood.start()
    await neighbourhood.until(run.name, "TRAINING", "step")

    await neighbourhood.stack.processes["model-server"].kill()
    run = await neighbourhood.end(run.name)
    await neighbourhood.stack.restart("model-server")

    assert run.state == trainer_pb2.TRAINING_STATE_FAILED
    assert "OLLAMA_HOST" in run.failure
    await assert_incumbent_stays(neighbourhood)


@pytest.mark.slow
async def test_a_model_that_learned_nothing_is_rejected(neighbourhood: Neighbourhood) -> None:
    run = await neighbourhood.start(hyperparameters=trainer_pb2.Hyperparameters(max_steps=1))
    run = await neighbourhood.end(run.name)

    assert run.state == trainer_pb2.TRAINING_STATE_REJECTED
    assert "lower bound of the gain" in run.failure
    assert (run.figures.heldout_before, run.figures.heldout_after) == (0, 0)
    assert run.figures.heldout_count == SOMAS // 4
    await neighbourhood.wait_until_gone(run.model)
    await assert_incumbent_stays(neighbourhood)


async def test_a_trainer_killed_in_training_resumes_and_the_persona_learns(
    neighbourhood: Neighbourhood,
) -> None:
    before = (await neighbourhood.persona()).persona
    run = await neighbourhood.start()
    await neighbourhood.until(run.name, "TRAINING", "step", step=6)  # a checkpoint is at 5
    trainer = neighbourhood.stack.processes["trainer"]
    worker = worker_of(trainer.pid)

    await trainer.kill()
    assert await is_gone(worker)
    await neighbourhood.stack.restart("trainer")
    run = await neighbourhood.end(run.name)

    assert run.state == trainer_pb2.TRAINING_STATE_SUCCEEDED, figures_of(run)
    assert (run.figures.heldout_before, run.figures.heldout_after) == (0, 1)
    assert run.figures.template_parity
    events = [event async for event in neighbourhood.events(run.name)]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert list(dict.fromkeys(event.state for event in events)) == list(range(1, 9))
    _, again = (n for n, event in enumerate(events) if "fencing token" in event.message)
    steps = [event.progress.step for event in events[again + 1 :] if "step" in event.message]
    assert steps[0] > 5, "it began anew instead of going on from its checkpoint"
    assert steps[-1] == run.hyperparameters.max_steps
    after = await neighbourhood.persona()
    assert after.serving_state == supervisor_pb2.SERVING_STATE_SERVING
    assert (after.persona.model.tag, after.persona.model.digest) == (run.model, run.model_digest)
    assert after.persona.model.generation == run.generation == before.model.generation + 1
    assert after.persona.previous.tag == before.model.tag
