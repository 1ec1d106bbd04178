"""Tools from a real ToolForge as golden examples, and code judged in real sandboxes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from batos.toolforge.v1 import toolforge_pb2, toolforge_pb2_grpc
from batos.trainer.v1 import trainer_pb2, trainer_pb2_grpc

from deploy.local import LocalStack
from services.trainer.dataset_store import DatasetStore
from services.trainer.sandbox_code_runner import SandboxCodeRunner
from shared.channel import open_channel
from shared.errors import Unavailable
from tests.integration.trainer.conftest import request_id, settings_for

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

TOOLS = 8


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(
    tiny_base: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LocalStack]:
    running = LocalStack(
        tmp_path_factory.mktemp("tools"),
        services=("model-server", "sandbox-executor", "supervisor", "toolforge", "trainer"),
        settings=settings_for(tiny_base),
    )
    async with running:
        yield running


def registration(number: int) -> toolforge_pb2.RegisterToolRequest:
    name = f"raise_by_{number}"
    source = f'def {name}(x: int) -> int:\n    """Add {number}."""\n    return x + {number}\n'
    examples = [
        toolforge_pb2.Example(arguments_json=json.dumps({"x": x}), result_json=str(x + number))
        for x in (1, 5, 9)
    ]
    return toolforge_pb2.RegisterToolRequest(
        request_id=request_id(),
        spec=toolforge_pb2.Spec(name=name, description=f"Add {number}.", examples=examples),
        source=source,
    )


async def test_registered_tools_are_golden_for_the_toolsmith_alone(stack: LocalStack) -> None:
    async with open_channel(stack.addresses["toolforge"]) as channel:
        toolforge = toolforge_pb2_grpc.ToolForgeServiceStub(channel)
        for number in range(TOOLS):
            await toolforge.RegisterTool(registration(number))
    async with open_channel(stack.addresses["trainer"]) as channel:
        trainer = trainer_pb2_grpc.TrainerServiceStub(channel)
        request = trainer_pb2.BuildDatasetRequest(request_id=request_id(), persona="BRICK")
        dataset = (await trainer.BuildDataset(request)).dataset
        request = trainer_pb2.StartTrainingRunRequest(
            request_id=request_id(), persona="ROBIN", dataset=dataset.name
        )
        with pytest.raises(Exception, match="has the examples of BRICK"):
            await trainer.StartTrainingRun(request)

    assert dict(dataset.source_counts) == {"tool": TOOLS}
    assert (dataset.train_count, dataset.heldout_count) == (TOOLS * 3 // 4, TOOLS // 4)
    store = DatasetStore(stack.data_dir / "trainer" / "datasets")
    for example in await store.heldout(dataset.name.removeprefix("datasets/")):
        assert example.prompt[0]["content"].startswith("You are BRICK")
        assert example.prompt[1]["content"].startswith("Write a Python function.\nTask: Add ")
        assert example.spec is not None
        assert example.answer.startswith(f"def {example.spec.function}(x: int) -> int:")
        assert len(example.spec.expectations) == 3


async def test_examples_from_elsewhere_are_taken_row_by_row(stack: LocalStack) -> None:
    pairs = [("Who guards the bridge?", "The troll does."), ("Where is it?", "By the mill.")]
    rows = [json.dumps({"instruction": asked, "output": told}) for asked, told in pairs]
    request = trainer_pb2.ImportExamplesRequest(
        request_id=request_id(),
        persona="BABS",
        shape=trainer_pb2.EXAMPLE_SHAPE_ALPACA,
        rows=[rows[0], "{", rows[1], rows[0], '{"instruction": "Only asked."}'],
    )
    async with open_channel(stack.addresses["trainer"]) as channel:
        trainer = trainer_pb2_grpc.TrainerServiceStub(channel)
        answer = await trainer.ImportExamples(request)
        assert (answer.imported_count, answer.duplicate_count) == (2, 1)
        assert [row.index for row in answer.refused] == [1, 4]
        assert "has no text in 'output'" in answer.refused[1].reason
        assert await trainer.ImportExamples(request) == answer
        request.request_id = request_id()
        again = await trainer.ImportExamples(request)
        assert (again.imported_count, again.duplicate_count) == (0, 3)
        build = trainer_pb2.BuildDatasetRequest(request_id=request_id(), persona="BABS")
        dataset = (await trainer.BuildDataset(build)).dataset
        assert dict(dataset.source_counts) == {"import": 2}
        assert all(name.startswith("imports/") for name in dataset.lineage)
    file = stack.data_dir / "trainer" / dataset.name / "train.jsonl"
    row = json.loads(file.read_text().splitlines()[0])
    assert row["prompt"][0]["content"].startswith("You are BABS")


async def test_code_is_run_in_the_sandbox_and_bad_ends_meet_nothing(stack: LocalStack) -> None:
    async with open_channel(stack.addresses["sandbox-executor"]) as channel:
        runner = SandboxCodeRunner(channel, stack.addresses["sandbox-executor"])
        two = ['{"x": 1}', '{"x": 2}']
        assert await runner.call("def f(x):\n    return [x, 1.0]", "f", two) == [
            "[1, 1.0]",
            "[2, 1.0]",
        ]
        hopeless = (
            "def f(x):\n    return 1 / (x - 1)",
            "def f(x:",
            "import os\ndef f(x):\n    os._exit(0)",
            "def f(x):\n    while True:\n        pass",
            "x = 1",
        )
        for source in hopeless:
            assert await runner.call(source, "f", two) == [None, None]


async def test_a_sandbox_that_is_away_says_nothing_about_the_code() -> None:
    async with open_channel("127.0.0.1:1") as channel:
        with pytest.raises(Unavailable, match=r"sandbox at 127\.0\.0\.1:1 cannot be reached"):
            await SandboxCodeRunner(channel, "127.0.0.1:1").call("def f(): ...", "f", ["{}"])
