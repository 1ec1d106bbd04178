"""How many specs a forge makes tools of, and how many of those do what nobody showed them.

Usage: python -m benchmarks.forge_suite [--data FILE] [--samples 1,4] [--attempts N] [--count N]

The data are JSON lines {"name", "spec", "examples": [{"arguments": {}, "result": ...}],
"hidden_tests": [{"arguments": {}, "result": ...}]}. Without a file, specs are drawn from the
starter model's evaluation: kinds that it knows, in words that it has not met. Every spec is forged
anew for each number of samples, over real sockets, by the model behind OLLAMA_HOST or else the
starter model; the hidden tests then run in the sandbox, and are compared outside of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batos.sandbox.v1 import sandbox_pb2
from batos.sandbox.v1.sandbox_pb2_grpc import SandboxServiceStub
from batos.toolforge.v1 import toolforge_pb2 as pb
from batos.toolforge.v1.toolforge_pb2_grpc import ToolForgeServiceStub
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from deploy.local import LocalStack
from services.model_server.starter_model.evaluation import evaluation_set
from services.toolforge.json_value import same
from shared.channel import open_channel

if TYPE_CHECKING:
    from batos.sandbox.v1.sandbox_pb2_grpc import SandboxServiceAsyncStub
    from batos.toolforge.v1.toolforge_pb2_grpc import ToolForgeServiceAsyncStub

WIDTH = 2
SERVICES = ("sandbox-executor", "supervisor", "toolforge")


@dataclass(frozen=True)
class Task:
    """A spec, and what nobody shows."""

    spec: pb.Spec
    hidden: Sequence[dict[str, Any]]


@dataclass
class Tally:
    """What came of all specs at one number of samples."""

    tasks: int = 0
    forged: int = 0
    passed_hidden: int = 0
    repaired: int = 0
    resampled: int = 0
    attempts: list[int] = field(default_factory=list)

    def add(self, forge: pb.Forge, passed_hidden: bool) -> None:
        """Counts one forge."""
        succeeded = forge.state == pb.FORGE_STATE_SUCCEEDED
        last = forge.attempts[-1].kind if forge.attempts else pb.ATTEMPT_KIND_UNSPECIFIED
        self.tasks += 1
        self.forged += succeeded
        self.passed_hidden += succeeded and passed_hidden
        self.repaired += succeeded and last == pb.ATTEMPT_KIND_REPAIR
        self.resampled += succeeded and last == pb.ATTEMPT_KIND_RESAMPLE
        self.attempts.append(len(forge.attempts))

    def line(self) -> dict[str, Any]:
        """As the last line has it."""
        return {
            "forged": self.forged,
            "passed_hidden": self.passed_hidden,
            "attempts_mean": round(sum(self.attempts) / max(1, self.tasks), 2),
            "repaired": self.repaired,
            "resampled": self.resampled,
            "tasks": self.tasks,
        }


class Suite:
    """The services, and the way of one spec through them."""

    def __init__(
        self, forge: ToolForgeServiceAsyncStub, sandbox: SandboxServiceAsyncStub, attempts: int
    ) -> None:
        self._toolforge = forge
        self._sandbox = sandbox
        self._attempts = attempts

    async def run(self, task: Task, samples: int) -> tuple[pb.Forge, bool]:
        """The forge at its end, and whether its tool passes the hidden tests."""
        request = pb.StartForgeRequest(
            request_id=str(uuid.uuid4()),
            spec=task.spec,
            attempt_limit=self._attempts,
            samples_per_attempt=samples,
            new_version=True,
        )
        name = (await self._toolforge.StartForge(request)).forge.name
        async for _ in self._toolforge.WatchForge(pb.WatchForgeRequest(name=name)):
            pass
        forge = (await self._toolforge.GetForge(pb.GetForgeRequest(name=name))).forge
        if forge.state != pb.FORGE_STATE_SUCCEEDED:
            return forge, False
        tool = (await self._toolforge.GetTool(pb.GetToolRequest(name=forge.tool))).tool
        return forge, await self._passes(tool, task.hidden)

    async def _passes(self, tool: pb.Tool, hidden: Sequence[dict[str, Any]]) -> bool:
        response = await self._sandbox.Execute(
            sandbox_pb2.ExecuteRequest(
                source=tool.source,
                calls=[
                    sandbox_pb2.FunctionCall(
                        function=tool.entry_point, arguments_json=json.dumps(test["arguments"])
                    )
                    for test in hidden
                ],
                idempotent=True,
            )
        )
        return len(response.results) == len(hidden) and all(
            result.WhichOneof("result") == "value_json"
            and same(json.loads(result.value_json), test["result"])
            for result, test in zip(response.results, hidden, strict=True)
        )


def drawn(count: int) -> list[Task]:
    """Specs of kinds that the starter model knows, in words that it has not met."""
    tasks = []
    for number, question in enumerate(evaluation_set("phrase", count, seed=7)):
        wanted = question.spec
        assert wanted is not None
        rows = [
            {
                "arguments": dict(zip(wanted.parameters, example.arguments, strict=True)),
                "result": example.result,
            }
            for example in (*question.examples, *question.checks)
        ]
        shown = len(question.examples)
        name = f"{wanted.name}_{number}"[:64]
        tasks.append(task(name, wanted.description, rows[:shown], rows[shown:]))
    return tasks


def read(path: Path) -> list[Task]:
    """The tasks of a file of JSON lines."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    return [
        task(row["name"], row["spec"], row["examples"], row.get("hidden_tests", [])) for row in rows
    ]


def task(
    name: str, description: str, examples: list[dict[str, Any]], hidden: list[dict[str, Any]]
) -> Task:
    """One task."""
    spec = pb.Spec(
        name=name,
        description=description,
        examples=[
            pb.Example(
                arguments_json=json.dumps(row["arguments"]), result_json=json.dumps(row["result"])
            )
            for row in examples
        ],
    )
    return Task(spec, hidden)


async def measure(
    tasks: list[Task], samples: list[int], attempts: int, console: Console
) -> dict[int, Tally]:
    """Every task at every number of samples; the numbers take turns, so noise meets all alike."""
    tallies = {number: Tally() for number in samples}
    own = "OLLAMA_HOST" not in os.environ
    services = (*(("model-server",) if own else ()), *SERVICES)
    turn = asyncio.Semaphore(WIDTH)
    with tempfile.TemporaryDirectory(prefix="b") as folder, Progress(console=console) as progress:
        bar = progress.add_task("forging", total=len(tasks) * len(samples))
        async with (
            LocalStack(Path(folder), services=services) as stack,
            open_channel(stack.addresses["toolforge"]) as toolforge,
            open_channel(stack.addresses["sandbox-executor"]) as sandbox,
        ):
            suite = Suite(ToolForgeServiceStub(toolforge), SandboxServiceStub(sandbox), attempts)

            async def one(each: Task) -> None:
                async with turn:
                    for number in samples:
                        tallies[number].add(*await suite.run(each, number))
                        progress.advance(bar)

            await asyncio.gather(*(one(each) for each in tasks))
    return tallies


def main() -> None:
    """Measure, print a table, and one JSON line last."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="JSON lines; without it specs are drawn")
    parser.add_argument("--count", type=int, default=60, help="specs to draw")
    parser.add_argument("--samples", default="1,4", help="numbers to compare, with commas")
    parser.add_argument("--attempts", type=int, default=4, help="of each forge; 1 to 16")
    arguments = parser.parse_args()
    tasks = read(arguments.data) if arguments.data else drawn(arguments.count)
    samples = [int(number) for number in arguments.samples.split(",")]
    tallies = asyncio.run(measure(tasks, samples, arguments.attempts, Console(stderr=True)))
    lines = {number: tally.line() for number, tally in tallies.items()}
    table = Table("samples", *lines[samples[0]])
    for number, line in lines.items():
        table.add_row(str(number), *map(str, line.values()))
    Console().print(table)
    print(json.dumps({**lines[samples[-1]], "samples": samples[-1], "by_samples": lines}))


if __name__ == "__main__":
    main()
