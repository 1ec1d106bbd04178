"""Forges with the real model server and the starter model: every token comes out of the model."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import ollama
import pytest
import pytest_asyncio
from batos.toolforge.v1 import toolforge_pb2 as pb
from batos.toolforge.v1.toolforge_pb2_grpc import ToolForgeServiceStub

from deploy.local.stack import LocalStack
from services.model_server.starter_model.evaluation import evaluation_set
from shared.channel import open_channel
from tests.integration.toolforge.ollama_peer import OllamaPeer
from tests.integration.toolforge.workshop import Workshop, spec

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVICES = ("model-server", "sandbox-executor", "supervisor", "toolforge")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def smithy(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Workshop]:
    data_dir: Path = tmp_path_factory.mktemp("starter")
    stack = LocalStack(data_dir, services=SERVICES)
    async with stack, open_channel(stack.addresses["toolforge"]) as channel:
        yield Workshop(stack, OllamaPeer(), ToolForgeServiceStub(channel))


def wanted() -> list[pb.Spec]:
    """Specs of kinds that the starter model has learnt; their examples are drawn afresh."""
    return [
        spec(
            drawn.name,
            *[
                (dict(zip(drawn.parameters, example.arguments, strict=True)), example.result)
                for example in drawn.examples
            ],
            description=drawn.description,
        )
        for question in evaluation_set("seen", 8, seed=20)
        if (drawn := question.spec)
    ]


async def test_tools_that_the_starter_model_makes_work(smithy: Workshop) -> None:
    made = set()
    for each in wanted():
        forge = await smithy.forge(each, attempt_limit=2)
        assert forge.model == "starter"
        if forge.state == pb.FORGE_STATE_SUCCEEDED:
            made.add(forge.tool)
            unseen = each.examples[-1]  # only the first two were shown to the model
            answer = await smithy.invoke(each.name, **json.loads(unseen.arguments_json))
            assert json.loads(answer.value_json) == json.loads(unseen.result_json)
        else:
            assert forge.failure_reason == "ATTEMPTS_USED_UP", forge.failure
    assert made, "the starter model made none of eight tools of kinds that it has learnt"
    assert await smithy.tools() == made


async def test_without_its_model_file_a_forge_says_which_model_is_missing(smithy: Workshop) -> None:
    client = ollama.AsyncClient(f"http://{smithy.stack.addresses['model-server']}")
    await client.delete("starter")
    forge = await smithy.forge(spec("orphaned"))
    assert (forge.state, forge.failure_reason) == (pb.FORGE_STATE_FAILED, "MODEL_ABSENT")
    assert "starter" in forge.failure
    assert "tools/orphaned" not in await smithy.tools()
