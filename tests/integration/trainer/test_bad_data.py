"""Data that teaches nothing, or that cannot be learned from: the incumbent goes on serving."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from random import Random

import pytest
import pytest_asyncio
from batos.supervisor.v1 import supervisor_pb2
from batos.trainer.v1 import trainer_pb2 as pb

from deploy.local import LocalStack
from tests.integration.trainer.conftest import (
    Neighbourhood,
    figures_of,
    request_id,
    settings_for,
)

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.timeout(300),
]

NAMES = (
    *("amber", "birch", "cedar", "daisy", "ember", "fern", "gorse", "hazel", "iris", "juniper"),
    *("kelp", "laurel", "maple", "nettle", "olive", "poppy", "quince", "rowan", "sorrel", "thyme"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def neighbours(
    tiny_base: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Neighbourhood]:
    stack = LocalStack(
        tmp_path_factory.mktemp("bad-data"),
        services=("model-server", "supervisor", "toolforge", "sandbox-executor", "trainer"),
        settings=settings_for(tiny_base),
    )
    async with stack:
        running = Neighbourhood(stack)
        yield running
        await running.close()


async def taught(
    neighbours: Neighbourhood, persona: str, pairs: Sequence[tuple[str, str]]
) -> pb.TrainingRun:
    """The end of a run on these pairs of question and answer alone."""
    request = pb.ImportExamplesRequest(
        request_id=request_id(),
        persona=persona,
        shape=pb.EXAMPLE_SHAPE_ALPACA,
        rows=[json.dumps({"instruction": asked, "output": told}) for asked, told in pairs],
    )
    answer = await neighbours.trainer.ImportExamples(request)
    assert answer.imported_count == len(pairs)
    return await neighbours.end((await neighbours.start(persona=persona)).name)


async def assert_incumbent_serves(neighbours: Neighbourhood, persona: str) -> None:
    request = supervisor_pb2.GetPersonaRequest(name=persona)
    found = await neighbours.supervisor.GetPersona(request)
    assert found.serving_state == supervisor_pb2.SERVING_STATE_SERVING
    assert (found.persona.model.tag, found.persona.model.generation) == ("starter", 1)
    assert await neighbours.model_tags() == ["starter:latest"]


async def test_shuffled_labels_are_rejected_with_figures(neighbours: Neighbourhood) -> None:
    codes = [name[::-1].upper() for name in NAMES]
    Random(1).shuffle(codes)
    pairs = [(f"What is the code of {n}?", code) for n, code in zip(NAMES, codes, strict=True)]
    run = await taught(neighbours, "BABS", pairs)
    assert run.state == pb.TRAINING_STATE_REJECTED, figures_of(run)
    assert run.figures.heldout_count == len(NAMES) // 4
    assert run.figures.heldout_after == run.figures.heldout_before == 0
    assert run.figures.improvement_lower_bound <= 0
    assert "held" in run.failure
    await neighbours.wait_until_gone(run.model)
    await assert_incumbent_serves(neighbours, "BABS")


async def test_a_single_row_is_too_little_to_be_judged_by(neighbours: Neighbourhood) -> None:
    run = await taught(neighbours, "ALFRED", [("Who are you?", "Alfred.")])
    assert run.state == pb.TRAINING_STATE_REJECTED, figures_of(run)
    assert run.figures.heldout_count == 0
    await neighbours.wait_until_gone(run.model)
    await assert_incumbent_serves(neighbours, "ALFRED")


async def test_rows_that_are_all_too_long_end_the_run_in_words(neighbours: Neighbourhood) -> None:
    long = " ".join(NAMES) * 12  # far more than the base's 400 tokens, and less than 64 KiB
    pairs = [(f"Recite {name}: {long}", f"{name} {long}") for name in NAMES[:8]]
    run = await taught(neighbours, "ROBIN", pairs)
    assert run.state == pb.TRAINING_STATE_FAILED, figures_of(run)
    assert "short enough to learn from" in run.failure
    await assert_incumbent_serves(neighbours, "ROBIN")
