"""How much better a fine-tune makes the starter model at what it lacked, and what it costs.

Usage: python -m benchmarks.learning [--families fare,tank,prize] [--tools N] [--seed N]

For each family of specs that the model has never seen, its owner registers tools; the Trainer
learns from three quarters of them and judges the created model by the rest, through its API, with
code run in the sandbox, and by the regression set of what the base knew. CPU only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

from batos.toolforge.v1 import toolforge_pb2
from batos.toolforge.v1.toolforge_pb2_grpc import ToolForgeServiceStub
from batos.trainer.v1 import trainer_pb2 as pb
from batos.trainer.v1.trainer_pb2_grpc import TrainerServiceStub
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from demo.lacking_family import FAMILIES, LackingFamily
from demo.spec import DemoSpec
from deploy.local import LocalStack
from shared.channel import open_channel

PERSONA = "BRICK"
SERVICES = ("model-server", "sandbox-executor", "supervisor", "toolforge", "trainer")
TARGETS = {"pass_rate_before": 0.10, "pass_rate_after": 0.80, "points_lost": 0.02}


async def teach(stack: LocalStack, family: LackingFamily, tools: int, seed: int) -> int:
    """Registers the owner's tools; how many."""
    specs = [DemoSpec.of(drawn) for drawn in family.draw(seed, True, tools)]
    async with open_channel(stack.addresses["toolforge"]) as channel:
        stub = ToolForgeServiceStub(channel)
        for spec in specs:
            await stub.RegisterTool(
                toolforge_pb2.RegisterToolRequest(
                    request_id=str(uuid.uuid4()), spec=spec.to_proto(), source=spec.source
                )
            )
    return len(specs)


async def learn(stack: LocalStack, progress: Progress, name: str) -> pb.TrainingRun:
    """One run to its end."""
    task = progress.add_task(f"{name}: queued", total=None)
    async with open_channel(stack.addresses["trainer"]) as channel:
        stub = TrainerServiceStub(channel)
        request = pb.StartTrainingRunRequest(request_id=str(uuid.uuid4()), persona=PERSONA)
        run = (await stub.StartTrainingRun(request)).training_run
        async for response in stub.WatchTrainingRun(pb.WatchTrainingRunRequest(name=run.name)):
            event = response.event
            state = pb.TrainingState.Name(event.state).removeprefix("TRAINING_STATE_").lower()
            progress.update(task, description=f"{name}: {state.replace('_', ' ')}")
            if event.HasField("progress"):
                at = event.progress
                progress.update(task, completed=at.step, total=at.max_steps)
        return (await stub.GetTrainingRun(pb.GetTrainingRunRequest(name=run.name))).training_run


async def measure(
    family: LackingFamily, tools: int, seed: int, progress: Progress
) -> dict[str, Any]:
    """One family on services of its own."""
    with tempfile.TemporaryDirectory(prefix="b") as folder:
        async with LocalStack(Path(folder), services=SERVICES) as stack:
            begun = time.perf_counter()
            examples = await teach(stack, family, tools, seed)
            run = await learn(stack, progress, family.key)
            seconds = time.perf_counter() - begun
    figures = run.figures
    return {
        "family": family.key,
        "state": pb.TrainingState.Name(run.state).removeprefix("TRAINING_STATE_"),
        "pass_rate_before": round(figures.heldout_before, 3),
        "pass_rate_after": round(figures.heldout_after, 3),
        "regression_before": round(figures.regression_before, 3),
        "regression_after": round(figures.regression_after, 3),
        "heldout": figures.heldout_count,
        "seconds": round(seconds, 1),
        "examples": examples,
        "failure": run.failure,
    }


async def measure_all(families: list[LackingFamily], tools: int, seed: int) -> list[dict[str, Any]]:
    """One family after another."""
    with Progress(console=Console(stderr=True)) as progress:
        return [await measure(family, tools, seed, progress) for family in families]


def main() -> None:
    """Measure, print a table, and one JSON line last."""
    known = {family.key: family for family in FAMILIES}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--families", default=",".join(known))
    parser.add_argument("--tools", type=int, default=48, help="that the owner registers; 4 to 50")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    families = [known[key] for key in arguments.families.split(",")]
    lines = asyncio.run(measure_all(families, arguments.tools, arguments.seed))
    shown = [key for key in lines[0] if key != "failure"]
    table = Table(*shown)
    for line in lines:
        table.add_row(*(str(line[key]) for key in shown))
    Console().print(table)
    print(
        json.dumps(
            {
                "pass_rate_before": max(line["pass_rate_before"] for line in lines),
                "pass_rate_after": min(line["pass_rate_after"] for line in lines),
                "regression_before": lines[0]["regression_before"],
                "regression_after": min(line["regression_after"] for line in lines),
                "seconds": max(line["seconds"] for line in lines),
                "examples": lines[0]["examples"],
                "targets": TARGETS,
                "families": lines,
            }
        )
    )


if __name__ == "__main__":
    main()
