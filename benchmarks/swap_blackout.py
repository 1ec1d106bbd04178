"""What those who talk notice of a whole cycle: lease, training, swap, and serving again.

Usage: python -m benchmarks.swap_blackout [--policy queue|cpu|reject] [--clients N]

A tiny model of random weights, which trains in seconds, speaks for a persona whose answers people
corrected. Clients talk to it without a pause from before the lease until after the swap. A turn is
refused where it is told to come back later, failed where it ends in another error, and lost where
it had begun to answer and then failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from batos.supervisor.v1 import supervisor_pb2 as pb
from rich.console import Console
from rich.table import Table

from benchmarks.milliseconds import p50_and_p99
from deploy.local import LocalStack
from shared.rpc_status import from_rpc_error
from tests.integration.trainer.conftest import (
    PERSONA,
    SOMAS,
    Neighbourhood,
    make_tiny_base,
    request_id,
    settings_for,
)

FLIP_TARGET_MS = 50.0
AFTER_SECONDS = 2.0


@dataclass
class Load:
    """What the clients saw; waits are milliseconds from asking to the last event."""

    counts: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    generations: set[int] = field(default_factory=set)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def talk(self, neighbourhood: Neighbourhood) -> None:
        """One client, turn after turn in a Soma of its own."""
        soma = ""
        while not self.over.is_set():
            request = pb.ConverseRequest(
                request_id=request_id(), persona=PERSONA, soma=soma, text="What do bats do?"
            )
            begun, heard = time.perf_counter(), False
            try:
                async for event in neighbourhood.supervisor.Converse(request):
                    heard = True
                    last = event
            except grpc.aio.AioRpcError as error:
                await self._refused(error, heard)
                continue
            soma = last.finished.soma
            self.generations.add(last.finished.turn.model.generation)
            self.counts["answered"] += 1
            self.waits.append((time.perf_counter() - begun) * 1000)

    async def _refused(self, error: grpc.aio.AioRpcError, heard: bool) -> None:
        fault = from_rpc_error(error)
        leased = fault.reason == "GPU_LEASED" and not heard
        self.counts["refused" if leased else "failed"] += 1
        self.counts["lost"] += heard
        await asyncio.sleep(0.2)  # who was refused comes back later, though not as late as told


async def moments(neighbourhood: Neighbourhood, found: dict[int, float]) -> None:
    """The first moment of each kind of event, in Unix milliseconds."""
    watch = neighbourhood.supervisor.WatchEvents(pb.WatchEventsRequest())
    async for response in watch:
        event = response.event
        found.setdefault(event.kind, event.created_at.ToNanoseconds() / 1e6)


async def measure(policy: str, clients: int, folder: Path) -> dict[str, Any]:
    """One cycle under load."""
    base = await asyncio.to_thread(make_tiny_base, folder / "base")
    settings = {**settings_for(base), "BATOS_SUPERVISOR_LEASE_POLICY": policy}
    stack = LocalStack(
        folder / "data", services=("model-server", "supervisor", "trainer"), settings=settings
    )
    async with stack:
        neighbourhood = Neighbourhood(stack)
        await neighbourhood.correct_somas(SOMAS)
        load, found = Load(), dict[int, float]()
        watching = asyncio.create_task(moments(neighbourhood, found))
        talking = [asyncio.create_task(load.talk(neighbourhood)) for _ in range(clients)]
        begun = time.perf_counter()
        run = await neighbourhood.end((await neighbourhood.start()).name)
        seconds = time.perf_counter() - begun
        await asyncio.sleep(AFTER_SECONDS)
        load.over.set()
        await asyncio.gather(*talking)
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await neighbourhood.close()
    if run.generation == 0:
        raise SystemExit(f"the run did not swap: {run.failure}")
    return _line(policy, load, found, seconds)


def _line(policy: str, load: Load, found: dict[int, float], seconds: float) -> dict[str, Any]:
    draining, leased = found[pb.EVENT_KIND_DRAINING], found[pb.EVENT_KIND_LEASE_ACQUIRED]
    tuned, released = found[pb.EVENT_KIND_MODEL_TUNED], found[pb.EVENT_KIND_LEASE_RELEASED]
    p50, _ = p50_and_p99(load.waits)
    return {
        "policy": policy,
        "turns": sum(load.counts[kind] for kind in ("answered", "refused", "failed")),
        "refused": load.counts["refused"],
        "failed": load.counts["failed"],
        "lost": load.counts["lost"],
        "longest_wait_ms": round(max(load.waits)),
        "turn_p50_ms": p50,
        "drain_ms": round(leased - draining, 1),
        "swap_ms": round(released - tuned, 1),
        "swap_target_ms": FLIP_TARGET_MS,
        "generations": sorted(load.generations),
        "cycle_seconds": round(seconds, 1),
    }


def main() -> None:
    """Measure, print a table, and one JSON line last."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--policy", choices=["queue", "cpu", "reject"], default="queue")
    parser.add_argument("--clients", type=int, default=4)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="b") as folder:
        line = asyncio.run(measure(arguments.policy, arguments.clients, Path(folder)))
    table = Table("what", "")
    for name, value in line.items():
        table.add_row(name, str(value))
    Console().print(table)
    print(json.dumps(line))


if __name__ == "__main__":
    main()
