"""Sustained runs a second with 32 callers on 1, 2 and 4 replicas, beside `docker run`; and a soak.

Usage: python -m benchmarks.sandbox_throughput [--seconds S] [--callers N] [--soak RUNS]

Callers go round all replicas and wait for each answer before they ask again. CPU seconds are those
of the executors and their sandboxes, from their process accounting. `--soak` asks one replica for
so many runs instead, and tells how its memory, descriptors and processes have grown.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from batos.sandbox.v1 import sandbox_pb2 as pb
from batos.sandbox.v1 import sandbox_pb2_grpc
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks import sandbox_rivals as rivals
from deploy.local import LocalStack
from shared.channel import open_channel

if TYPE_CHECKING:
    AsyncStub = sandbox_pb2_grpc.SandboxServiceAsyncStub

REPLICAS = (1, 2, 4)
TICKS = os.sysconf("SC_CLK_TCK")
DOCKER_CALLERS = 4


@dataclass
class Load:
    """What so many replicas did under load."""

    replicas: int
    runs: int
    errors: Counter[str]
    seconds: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        """Runs a second, all replicas together."""
        return self.runs / self.seconds


class Replicas:
    """So many executors on this machine, asked round robin."""

    def __init__(self, stacks: list[LocalStack], callers: int) -> None:
        self.pids = [each.processes["sandbox-executor"].pid or 0 for each in stacks]
        self._addresses = ",".join(each.addresses["sandbox-executor"] for each in stacks)
        self._callers = callers

    async def load(self, seconds: float, runs: int | None = None) -> Load:
        """Asks for so long, or so often."""
        found = Load(len(self.pids), 0, Counter(), 0, -self._cpu_seconds())
        begun = time.monotonic()
        left = iter(range(runs)) if runs else iter(int, 1)
        async with open_channel(f"ipv4:{self._addresses}") as channel:
            stub = sandbox_pb2_grpc.SandboxServiceStub(channel)

            async def call() -> None:
                for _ in left:
                    if runs is None and time.monotonic() - begun > seconds:
                        return
                    await self._run(stub, found)

            await asyncio.gather(*(call() for _ in range(self._callers)))
        found.seconds = time.monotonic() - begun
        found.cpu_seconds += self._cpu_seconds()
        return found

    async def _run(self, stub: AsyncStub, found: Load) -> None:
        try:
            response = await stub.Execute(pb.ExecuteRequest(source=rivals.SOURCE), timeout=60)
        except grpc.aio.AioRpcError as error:
            found.errors[error.code().name] += 1
            return
        if response.stdout == b"1\n":
            found.runs += 1
        else:
            found.errors[pb.Outcome.Name(response.outcome)] += 1

    def _cpu_seconds(self) -> float:
        return sum(map(cpu_seconds, self.pids))


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of all children that it has reaped (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


async def started(stack: AsyncExitStack, count: int, callers: int) -> Replicas:
    """So many executors. Each may queue all callers: refusing them is another test's business."""
    data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="b")))
    settings = {"BATOS_SANDBOX_MAX_QUEUED": str(callers), "BATOS_SANDBOX_POOL_SIZE": "4"}
    locals_ = [
        LocalStack(data / str(n), services=["sandbox-executor"], settings=settings)
        for n in range(count)
    ]
    for each in locals_:
        await stack.enter_async_context(each)
    return Replicas(locals_, callers)


def docker_per_second(seconds: float) -> float | None:
    """Runs a second of `docker run`, as many at once as serve it best on a small machine."""
    if not rivals.has_docker():
        return None
    rivals.docker_run()
    begun, done = time.monotonic(), 0
    while time.monotonic() - begun < seconds:
        started = [
            subprocess.Popen(rivals.DOCKER_RUN, stdout=subprocess.DEVNULL)
            for _ in range(DOCKER_CALLERS)
        ]
        done += sum(process.wait() == 0 for process in started)
    return done / (time.monotonic() - begun)


async def throughput(seconds: float, callers: int) -> None:
    """All numbers of replicas, docker run, the table and the line."""
    loads = []
    for count in REPLICAS:
        async with AsyncExitStack() as stack:
            replicas = await started(stack, count, callers)
            await replicas.load(2)
            loads.append(await replicas.load(seconds))
    by_docker = docker_per_second(seconds)
    table = Table("replicas", "runs/s", "runs per CPU second", "errors", box=None)
    for load in loads:
        per_cpu = f"{load.runs / load.cpu_seconds:.1f}"
        table.add_row(str(load.replicas), f"{load.per_second:.1f}", per_cpu, str(load.errors))
    table.add_row("docker run", f"{by_docker:.2f}" if by_docker else "no Docker", "", "")
    Console().print(table)
    line = {
        "runs_per_second": round(loads[0].per_second, 1),
        "runs_per_cpu_second": round(loads[0].runs / loads[0].cpu_seconds, 2),
        "docker_run_per_second": by_docker and round(by_docker, 2),
        "errors": sum(load.errors.total() for load in loads),
        # On one machine replicas share its cores: 1 would take a machine for each.
        "scaling_efficiency": round(
            loads[-1].per_second / loads[0].per_second / loads[-1].replicas, 2
        ),
        "by_replicas": {load.replicas: round(load.per_second, 1) for load in loads},
        "cores": os.cpu_count(),
    }
    print(json.dumps({"benchmark": "sandbox_throughput", **line}))


@dataclass
class Footprint:
    """An executor from outside."""

    memory_bytes: int
    descriptors: int
    processes: int

    @classmethod
    def of(cls, pid: int) -> Footprint:
        """As it is now."""
        status = Path(f"/proc/{pid}/status").read_text()
        resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        children = subprocess.run(
            ["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True, text=True, check=False
        )
        return cls(
            int(resident.split()[1]) * 1024,
            len(list(Path(f"/proc/{pid}/fd").iterdir())),
            len(children.stdout.split()),
        )


async def soak(runs: int, callers: int) -> None:
    """So many runs, in parts, with the executor's footprint after each."""
    async with AsyncExitStack() as stack:
        replicas = await started(stack, 1, callers)
        seen, errors = [], 0
        with Progress(console=Console(stderr=True)) as bar:
            task = bar.add_task("runs", total=runs)
            for part in range(10):
                errors += (await replicas.load(0, runs // 10)).errors.total()
                await asyncio.sleep(2)
                seen.append(Footprint.of(replicas.pids[0]))
                bar.update(task, completed=(part + 1) * runs // 10)
    table = Table("after", "MiB", "descriptors", "processes", box=None)
    for part, each in enumerate(seen, 1):
        mebibytes = f"{each.memory_bytes / 2**20:.1f}"
        count = str(part * runs // 10)
        table.add_row(count, mebibytes, str(each.descriptors), str(each.processes))
    Console().print(table)
    first, last = seen[0], seen[-1]
    line = {
        "runs": runs,
        "errors": errors,
        "memory_growth_mib": round((last.memory_bytes - first.memory_bytes) / 2**20, 1),
        "descriptor_growth": last.descriptors - first.descriptors,
        "process_growth": last.processes - first.processes,
    }
    print(json.dumps({"benchmark": "sandbox_soak", **line}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sandbox_throughput")
    parser.add_argument("--seconds", type=float, default=20, help="of load on each number")
    parser.add_argument("--callers", type=int, default=32)
    parser.add_argument("--soak", type=int, default=0, help="so many runs on one replica instead")
    options = parser.parse_args()
    if options.soak:
        asyncio.run(soak(options.soak, options.callers))
    else:
        asyncio.run(throughput(options.seconds, options.callers))
