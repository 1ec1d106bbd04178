"""How long a run of `print(1)` takes, beside other ways to run it in the same minutes.

Usage: python -m benchmarks.sandbox_latency [--rounds N] [--calls N]

Warm: Execute over a real socket while a booted sandbox waits. Cold: the pool is kept empty. The
ways take turns, so that noise of the machine meets all alike; one call at a time, and each warm one
begins once the pool is full again. Without Docker its columns are null.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from batos.sandbox.v1 import sandbox_pb2 as pb
from batos.sandbox.v1 import sandbox_pb2_grpc
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import sandbox_rivals as rivals
from deploy.local import LocalStack
from shared.channel import open_channel

if TYPE_CHECKING:
    AsyncStub = sandbox_pb2_grpc.SandboxServiceAsyncStub

POOL = 4
Way = Callable[[], Awaitable[float]]


class Sandbox:
    """One executor, asked over its socket."""

    def __init__(self, stub: AsyncStub, ready: int) -> None:
        self._stub = stub
        self._ready = ready

    async def run(self) -> float:
        """Seconds of one run, which begins once the pool is full."""
        for _ in range(2000):
            capacity = await self._stub.GetCapacity(pb.GetCapacityRequest())
            if capacity.ready_count >= self._ready:
                break
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        begun = time.perf_counter()
        response = await self._stub.Execute(pb.ExecuteRequest(source=rivals.SOURCE))
        taken = time.perf_counter() - begun
        assert response.stdout == b"1\n", response
        assert response.warm == bool(self._ready)
        return taken


async def open_sandbox(stack: AsyncExitStack, pool: int) -> Way:
    """An executor that keeps so many sandboxes booted."""
    data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="b")))
    settings = {"BATOS_SANDBOX_POOL_SIZE": str(pool)}
    local = LocalStack(data, services=["sandbox-executor"], settings=settings)
    await stack.enter_async_context(local)
    channel = await stack.enter_async_context(open_channel(local.addresses["sandbox-executor"]))
    return Sandbox(sandbox_pb2_grpc.SandboxServiceStub(channel), pool).run


def timed(run: rivals.Run) -> Way:
    """Seconds of one run of a rival."""

    async def measure() -> float:
        begun = time.perf_counter()
        await asyncio.to_thread(run)
        return time.perf_counter() - begun

    return measure


async def measure(rounds: int, calls: int) -> dict[str, list[float]]:
    """Seconds by way. In each round `calls` warm ones, some of the quick ways, one of the slow."""
    taken: dict[str, list[float]] = defaultdict(list)
    async with AsyncExitStack() as stack:
        ways: dict[str, tuple[Way, int]] = {
            "warm": (await open_sandbox(stack, POOL), calls),
            "cold": (await open_sandbox(stack, 0), 2),
            "python_subprocess": (timed(rivals.python_subprocess), 5),
        }
        if rivals.has_docker():
            ways["docker_run"] = (timed(rivals.docker_run), 2)
            ways["llm_sandbox"] = (timed(stack.enter_context(rivals.llm_sandbox())), 2)
        for way, _ in ways.values():
            await way()  # whatever is done but once is done now
        for _ in track(range(rounds), "rounds", console=Console(stderr=True)):
            for name, (way, times) in ways.items():
                taken[name] += [await way() for _ in range(times)]
    return taken


def figures(taken: dict[str, list[float]]) -> dict[str, float | None]:
    """The figures of the last line, in milliseconds."""

    def p50(name: str) -> float | None:
        return round(statistics.median(taken[name]) * 1e3, 2) if taken.get(name) else None

    warm = sorted(taken["warm"])
    return {
        "warm_p50_ms": p50("warm"),
        "warm_p99_ms": round(warm[int(len(warm) * 0.99)] * 1e3, 2),
        "cold_p50_ms": p50("cold"),
        "docker_run_p50_ms": p50("docker_run"),
        "python_subprocess_p50_ms": p50("python_subprocess"),
        "llm_sandbox_p50_ms": p50("llm_sandbox"),
    }


def show(taken: dict[str, list[float]]) -> None:
    """A table with ratios to the warm run."""
    table = Table("way", "runs", "p50 ms", "p99 ms", "of warm", box=None)
    base = statistics.median(taken["warm"])
    for name, seconds in taken.items():
        middle, last = statistics.median(seconds), sorted(seconds)[int(len(seconds) * 0.99)]
        ratio = f"{middle / base:.1f}×"
        table.add_row(name, str(len(seconds)), f"{middle * 1e3:.1f}", f"{last * 1e3:.1f}", ratio)
    Console().print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sandbox_latency")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--calls", type=int, default=15, help="warm calls of a round")
    options = parser.parse_args()
    seconds = asyncio.run(measure(options.rounds, options.calls))
    show(seconds)
    print(json.dumps({"benchmark": "sandbox_latency", **figures(seconds)}))
