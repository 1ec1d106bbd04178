"""Runs that make an adapter or a GGUF file in place of safetensors, to the swap; real processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import ollama
import pytest
import pytest_asyncio
from batos.supervisor.v1 import supervisor_pb2
from batos.trainer.v1 import trainer_pb2

from deploy.local import LocalStack
from tests.integration.trainer.conftest import (
    CORRECTION,
    PERSONA,
    SOMAS,
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


@pytest_asyncio.fixture(params=["adapter", "gguf"], scope="module", loop_scope="module")
async def exporting(
    request: pytest.FixtureRequest, tiny_base: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Neighbourhood]:
    stack = LocalStack(
        tmp_path_factory.mktemp("e"),
        services=("model-server", "supervisor", "trainer"),
        settings={**settings_for(tiny_base), "BATOS_TRAINER_EXPORT": request.param},
    )
    async with stack:
        running = Neighbourhood(stack)
        await running.correct_somas(SOMAS)
        yield running
        await running.close()


async def test_what_is_exported_becomes_a_model_that_speaks(
    exporting: Neighbourhood, request: pytest.FixtureRequest
) -> None:
    run = await exporting.end((await exporting.start()).name)
    assert run.state == trainer_pb2.TRAINING_STATE_SUCCEEDED, figures_of(run)
    assert run.figures.template_parity
    client = ollama.AsyncClient(f"http://{exporting.stack.addresses['model-server']}")
    shown = await client.show(run.model)
    adapts = "adapter" in request.node.callspec.id
    assert ("ADAPTER " in (shown.modelfile or "")) == adapts
    assert shown.details is not None
    assert shown.details.quantization_level == "Q8_0"
    asked = supervisor_pb2.ConverseRequest(
        request_id=request_id(), persona=PERSONA, text="What do bats do? 3"
    )
    async for event in exporting.supervisor.Converse(asked):
        last = event
    assert last.finished.turn.model.tag == run.model
    assert last.finished.turn.assistant_text.split()[:2] == CORRECTION.split()[:2]


async def test_a_base_without_a_tag_is_refused_before_anything_begins(
    tiny_base: Path, tmp_path: Path
) -> None:
    untagged = tmp_path / "bases.toml"
    text = (tiny_base / "bases.toml").read_text().replace('tag = "starter"\n', "")
    untagged.write_text(text.replace('"base"', f'"{tiny_base / "base"}"'))
    stack = LocalStack(
        tmp_path / "data",
        services=("model-server", "supervisor", "trainer"),
        settings={
            **settings_for(tiny_base),
            "BATOS_TRAINER_EXPORT": "adapter",
            "BATOS_TRAINER_BASES": str(untagged),
        },
    )
    async with stack:
        running = Neighbourhood(stack)
        with pytest.raises(Exception, match="has no tag in the catalogue"):
            await running.start()
        await running.close()
