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
from services.model_server.starter_model.corpus.spec import Spec as Drawn
from services.model_server.starter_model.evaluation import evaluation_set
from shared.channel import open_channel
from shared.errors import NotFound
from tests.integration.toolforge.ollama_peer import OllamaPeer
from tests.integration.toolforge.workshop import Workshop, failure, spec

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVICES = ("model-server", "sandbox-executor", "supervisor", "toolforge")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def smithy(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Workshop]:
    data_dir: Path = tmp_path_factory.mktemp("starter")
    stack = LocalStack(data_dir, services=SERVICES)
    async with stack, open_channel(stack.addresses["toolforge"]) as channel:
        yield Workshop(stack, OllamaPeer(), ToolForgeServiceStub(channel))


def drawn_spec(drawn: Drawn) -> pb.Spec:
    """A spec of the starter model's corpus as a request has it."""
    examples = [
        (dict(zip(drawn.parameters, example.arguments, strict=True)), example.result)
        for example in drawn.examples
    ]
    return spec(drawn.name, *examples, description=drawn.description)


def wanted() -> list[pb.Spec]:
    """Specs of kinds that the starter model has learnt; their examples are drawn afresh."""
    questions = evaluation_set("seen", 8, seed=20)
    return [drawn_spec(question.spec) for question in questions if question.spec]


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
    assert made <= await smithy.tools()


async def test_a_first_draft_that_fails_is_repaired_by_the_finding(smithy: Workshop) -> None:
    """Words that can be read in two ways: the example that a draft misses tells which is meant."""
    repaired = []
    for question in evaluation_set("reread", 8, seed=3):
        assert question.spec is not None
        forge = await smithy.forge(drawn_spec(question.spec), attempt_limit=2)
        if forge.state == pb.FORGE_STATE_SUCCEEDED and len(forge.attempts) == 2:
            repaired.append(forge)
    assert repaired, "none of eight first drafts was repaired"
    for forge in repaired:
        draft, repair = forge.attempts
        assert (draft.kind, repair.kind) == (pb.ATTEMPT_KIND_DRAFT, pb.ATTEMPT_KIND_REPAIR)
        assert any(words in draft.finding for words in (" must return ", " raised ")), draft
        assert draft.source != repair.source


async def test_what_the_model_cannot_do_ends_in_words_and_is_not_callable(
    smithy: Workshop,
) -> None:
    wanted = spec(
        "moon_phase",
        ({"day": "2024-01-25"}, "full"),
        ({"day": "2024-02-09"}, "new"),
        ({"day": "2024-03-17"}, "first quarter"),
        description="Name the phase of the moon on a day, by Meeus's algorithm.",
    )
    forge = await smithy.forge(wanted, attempt_limit=3)
    assert (forge.state, forge.failure_reason) == (pb.FORGE_STATE_FAILED, "ATTEMPTS_USED_UP")
    assert forge.failure.startswith("none of 3 attempts met every example; the last finding was: ")
    assert all(attempt.finding for attempt in forge.attempts)
    assert isinstance(await failure(smithy.invoke("moon_phase", day="2024-01-25")), NotFound)
    assert "tools/moon_phase" not in await smithy.tools()


async def test_without_its_model_file_a_forge_says_which_model_is_missing(smithy: Workshop) -> None:
    client = ollama.AsyncClient(f"http://{smithy.stack.addresses['model-server']}")
    await client.delete("starter")
    forge = await smithy.forge(spec("orphaned"))
    assert (forge.state, forge.failure_reason) == (pb.FORGE_STATE_FAILED, "MODEL_ABSENT")
    assert "starter" in forge.failure
    assert "tools/orphaned" not in await smithy.tools()
