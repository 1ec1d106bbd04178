"""How fast a Living Image is saved and loaded, and how long writes are held for its cut.

Usage: python -m benchmarks.image [--episodes N] [--rounds N]

All services run; Memory is filled with conversations. Saving is timed from the call to the image on
the disk; loading from the call until every service serves the image, checking, staging and starting
anew included. The freeze is what the image itself says: from the first service that is asked to
hold its writes to the last one that lets them go.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

from batos.memory.v1 import memory_pb2, memory_pb2_grpc
from batos.supervisor.v1 import supervisor_pb2 as pb
from batos.supervisor.v1 import supervisor_pb2_grpc
from rich.console import Console
from rich.table import Table

from benchmarks.memory_texts import Texts
from benchmarks.turn_overhead import remember
from deploy.local import LocalStack
from shared.channel import open_channel

TARGET_FREEZE_MS = 200.0
_MIB = 1 << 20


def fresh() -> str:
    """An id for a request."""
    return str(uuid.uuid4())


async def save(stub: Any) -> tuple[pb.Image, float]:
    """An image and the seconds that it took."""
    began = time.perf_counter()
    async for event in stub.SaveImage(pb.SaveImageRequest(request_id=fresh())):
        last = event
    return last.image, time.perf_counter() - began


async def load(stub: Any, image: pb.Image) -> float:
    """Seconds until everything serves it."""
    began = time.perf_counter()
    request = pb.LoadImageRequest(request_id=fresh(), name=image.name, discard_current=True)
    async for _ in stub.LoadImage(request, wait_for_ready=True):
        pass
    await stub.ListSomas(pb.ListSomasRequest(), wait_for_ready=True)
    return time.perf_counter() - began


async def measure(episodes: int, rounds: int, console: Console) -> dict[str, Any]:
    """Rounds of saving and loading."""
    texts = Texts(seed=1).draw(episodes)
    with tempfile.TemporaryDirectory(prefix="b") as folder:
        stack = LocalStack(Path(folder))
        async with (
            stack,
            open_channel(stack.addresses["supervisor"]) as channel,
            open_channel(stack.addresses["memory"]) as memory,
        ):
            await remember(stack.addresses["memory"], texts, console)
            request = memory_pb2.OptimizeRequest()
            await memory_pb2_grpc.MemoryServiceStub(memory).Optimize(request)
            stub = supervisor_pb2_grpc.SupervisorServiceStub(channel)
            saved, loaded = [], []
            for number in range(rounds):
                console.print(f"round {number + 1} of {rounds}")
                saved.append(await save(stub))
                loaded.append(await load(stub, saved[-1][0]))
    size = saved[-1][0].size_bytes / _MIB
    return {
        "episodes": episodes,
        "image_mb": round(size, 1),
        "save_mb_per_second": round(size / statistics.median(s for _, s in saved), 1),
        "load_mb_per_second": round(size / statistics.median(loaded), 1),
        "save_seconds": round(statistics.median(s for _, s in saved), 2),
        "load_seconds": round(statistics.median(loaded), 2),
        "freeze_ms": round(max(i.freeze.ToNanoseconds() for i, _ in saved) / 1e6, 1),
        "target_freeze_ms": TARGET_FREEZE_MS,
    }


def main() -> None:
    """Measure, print a table, and one JSON line last."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--episodes", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    line = asyncio.run(measure(arguments.episodes, arguments.rounds, Console(stderr=True)))
    table = Table("what", "")
    for name, value in line.items():
        table.add_row(name, str(value))
    Console().print(table)
    print(json.dumps(line))


if __name__ == "__main__":
    main()
