"""What a forge costs beside its model, per attempt, over real sockets.

Usage: python -m benchmarks.forge_overhead [--forges N] [--attempts N] [--model-seconds S]

A scripted server of Ollama's API takes a fixed time for each answer, fails until the last attempt
and passes then. From a forge's wall clock, from StartForge to the last event of its watch, the
model's own time is taken out; what is left, by attempt, is prompts, HTTP, taking the code out,
checks, the trial in a fresh gVisor sandbox, and SQLite.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from batos.toolforge.v1 import toolforge_pb2 as pb
from batos.toolforge.v1.toolforge_pb2_grpc import ToolForgeServiceStub
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.milliseconds import p50_and_p99
from deploy.local import LocalStack
from shared.channel import open_channel
from tests.integration.toolforge.ollama_peer import OllamaPeer, ollama_peer, says_after

if TYPE_CHECKING:
    from batos.toolforge.v1.toolforge_pb2_grpc import ToolForgeServiceAsyncStub as AsyncStub

RIGHT = 'def {name}(a: int, b: int) -> int:\n    """Add two numbers."""\n    return a + b\n'
SERVICES = ("sandbox-executor", "supervisor", "toolforge")
TARGET_MS = 40.0


@dataclass(frozen=True)
class Measured:
    """Milliseconds of one forge, per attempt, without its model."""

    overhead: float
    trials: float


def spec(name: str) -> pb.Spec:
    """Two numbers are to be added; three examples."""
    pairs = [(1, 2), (5, 5), (-7, 40)]
    return pb.Spec(
        name=name,
        description="Add two numbers.",
        examples=[
            pb.Example(arguments_json=json.dumps({"a": a, "b": b}), result_json=str(a + b))
            for a, b in pairs
        ],
    )


async def forge(stub: AsyncStub, name: str, attempts: int) -> Measured:
    """One forge from its start to its end."""
    begun = time.perf_counter()
    request = pb.StartForgeRequest(
        request_id=str(uuid.uuid4()), spec=spec(name), attempt_limit=attempts
    )
    started = await stub.StartForge(request)
    made = [
        answer.event.attempt
        async for answer in stub.WatchForge(pb.WatchForgeRequest(name=started.forge.name))
        if answer.event.HasField("attempt")
    ]
    wall = time.perf_counter() - begun
    assert len(made) == attempts, made
    assert made[-1].verdict == pb.VERDICT_PASSED, made
    model = sum(attempt.model_time.ToTimedelta().total_seconds() for attempt in made)
    trials = sum(attempt.trial_time.ToTimedelta().total_seconds() for attempt in made)
    return Measured((wall - model) / attempts * 1000, trials / attempts * 1000)


def script(model: OllamaPeer, name: str, attempts: int, seconds: float) -> None:
    """Wrong drafts, each another, then the right one."""
    right = RIGHT.format(name=name)
    wrong = [right.replace("a + b", f"a - b - {n}") for n in range(attempts - 1)]
    model.script(*[says_after(seconds, answer) for answer in (*wrong, right)])


async def measure(forges: int, attempts: int, seconds: float, console: Console) -> list[Measured]:
    """One forge after another."""
    measured = []
    with tempfile.TemporaryDirectory(prefix="b") as data:
        async with ollama_peer() as model:
            stack = LocalStack(
                Path(data), services=SERVICES, settings={"OLLAMA_HOST": model.address}
            )
            async with stack, open_channel(stack.addresses["toolforge"]) as channel:
                stub = ToolForgeServiceStub(channel)
                for number in track(range(forges + 1), "forging", console=console):
                    name = f"sum_{number}"
                    script(model, name, attempts, seconds)
                    measured.append(await forge(stub, name, attempts))
    return measured[1:]  # the first one warms up


def main() -> None:
    """Measure, print a table, and one JSON line last."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--forges", type=int, default=20)
    parser.add_argument("--attempts", type=int, default=4, help="of each forge; 1 to 16")
    parser.add_argument(
        "--model-seconds", type=float, default=1.0, help="that the model takes for an answer"
    )
    arguments = parser.parse_args()
    console = Console(stderr=True)
    measured = asyncio.run(
        measure(arguments.forges, arguments.attempts, arguments.model_seconds, console)
    )
    overhead = p50_and_p99([each.overhead for each in measured])
    trials = p50_and_p99([each.trials for each in measured])
    table = Table("per attempt, ms", "p50", "p99")
    table.add_row("all but the model", *map(str, overhead))
    table.add_row("of it checks and trial", *map(str, trials))
    Console().print(table)
    print(
        json.dumps(
            {
                "per_attempt_p50_ms": overhead[0],
                "per_attempt_p99_ms": overhead[1],
                "checks_and_trial_p50_ms": trials[0],
                "target_ms": TARGET_MS,
                "forges": len(measured),
                "attempts_each": arguments.attempts,
            }
        )
    )


if __name__ == "__main__":
    main()
