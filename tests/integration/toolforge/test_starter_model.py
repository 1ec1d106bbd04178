"""Forges with the real model server and the starter model: every token comes out of the model."""

import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import ollama
import pytest
import pytest_asyncio
from batos.toolforge.v1 import toolforge_pb2 as pb
from batos.toolforge.v1.toolforge_pb2_grpc import ToolForgeServiceStub

from deploy.local.stack import LocalStack
from shared.channel import open_channel
from tests.integration.toolforge.ollama_peer import OllamaPeer
from tests.integration.toolforge.workshop import Workshop, spec

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVICES = ("model-server", "sandbox-executor", "supervisor", "toolforge")

WANTED: dict[str, tuple[str, Callable[[str], Any]]] = {
    "reverse_text": ("Reverse the text.", lambda text: text[::-1]),
    "shout": ("Turn the text to upper case.", str.upper),
    "text_length": ("Count the characters of the text.", len),
    "count_vowels": (
        "Count the vowels in the text.",
        lambda text: sum(letter in "aeiou" for letter in text),
    ),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def smithy(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Workshop]:
    data_dir: Path = tmp_path_factory.mktemp("starter")
    stack = LocalStack(data_dir, services=SERVICES)
    async with stack, open_channel(stack.addresses["toolforge"]) as channel:
        yield Workshop(stack, OllamaPeer(), ToolForgeServiceStub(channel))


def words(count: int) -> list[str]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return ["".join(random.choices(letters, k=random.randint(3, 9))) for _ in range(count)]


async def test_the_starter_model_makes_tools_that_hold_on_fresh_arguments(smithy: Workshop) -> None:
    made = []
    for name, (description, truth) in WANTED.items():
        examples = [({"text": word}, truth(word)) for word in words(4)]
        forge = await smithy.forge(spec(name, *examples, description=description))
        assert forge.model == "starter"
        if forge.state == pb.FORGE_STATE_SUCCEEDED:
            for word in words(3):
                assert (await smithy.invoke(name, text=word)).value_json == _json(truth(word))
            made.append(name)
        else:
            assert forge.failure_reason == "ATTEMPTS_USED_UP", forge.failure
    assert made, "the starter model made none of four simple tools"
    assert await smithy.tools() == {f"tools/{name}" for name in made}


def _json(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


async def test_without_its_model_file_a_forge_says_which_model_is_missing(smithy: Workshop) -> None:
    client = ollama.AsyncClient(f"http://{smithy.stack.addresses['model-server']}")
    await client.delete("starter")
    forge = await smithy.forge(spec("orphaned"))
    assert (forge.state, forge.failure_reason) == (pb.FORGE_STATE_FAILED, "MODEL_ABSENT")
    assert "starter" in forge.failure
    assert "tools/orphaned" not in await smithy.tools()
