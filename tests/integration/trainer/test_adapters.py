"""A run that makes an adapter in place of a whole model, to the swap; real processes."""

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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def adapting(
    tiny_base: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Neighbourhood]:
    stack = LocalStack(
        tmp_path_factory.mktemp("adapting"),
        services=("model-server", "supervisor", "trainer"),
        settings={**settings_for(tiny_base), "BATOS_TRAINER_EXPORT": "adapter"},
    )
    async with stack:
        running = Neighbourhood(stack)
        await running.correct_somas(SOMAS)
        yield running
        await running.close()


async def test_an_adapter_is_put_onto_the_base_and_speaks(adapting: Neighbourhood) -> None:
    run = await adapting.end((await adapting.start()).name)
    assert run.state == trainer_pb2.TRAINING_STATE_SUCCEEDED, figures_of(run)
    assert run.figures.template_parity
    client = ollama.AsyncClient(f"http://{adapting.stack.addresses['model-server']}")
    shown = await client.show(run.model)
    assert "ADAPTER " in (shown.modelfile or "")
    asked = supervisor_pb2.ConverseRequest(
        request_id=request_id(), persona=PERSONA, text="What do bats do? 3"
    )
    async for event in adapting.supervisor.Converse(asked):
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
