"""How far a run gets beyond its limits before it is ended.

Usage: python -m benchmarks.sandbox_limits [--runs N]

Memory is filled through `memfd_create`, which no rlimit of the guest bounds: the watchdog alone
ends it. The overshoot is the most that was ever in use, less the limit.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
from pathlib import Path

from batos.sandbox.v1 import sandbox_pb2 as pb
from batos.sandbox.v1 import sandbox_pb2_grpc
from rich.console import Console
from rich.progress import track
from rich.table import Table

from deploy.local import LocalStack
from shared.channel import open_channel

MEBIBYTE = 1 << 20
MEMORY = 128 * MEBIBYTE
SECONDS = 0.5
FILL = """
import os
block = b"x" * (1 << 20)
while True:
    file = os.memfd_create("fill")
    for _ in range(16):
        os.write(file, block)
"""
# Limit, what passes it, and how it ends.
KINDS: dict[str, tuple[pb.Limits, str, "pb.Outcome.ValueType"]] = {
    "memory_mib": (pb.Limits(memory_limit_bytes=MEMORY), FILL, pb.OUTCOME_MEMORY_LIMIT),
    "cpu_ms": (pb.Limits(), "while True: pass", pb.OUTCOME_TIMED_OUT),
    "wall_ms": (pb.Limits(), "import time; time.sleep(60)", pb.OUTCOME_TIMED_OUT),
}
KINDS["cpu_ms"][0].cpu.FromNanoseconds(int(SECONDS * 1e9))
KINDS["wall_ms"][0].wall.FromNanoseconds(int(SECONDS * 1e9))


def overshoot(kind: str, response: pb.ExecuteResponse) -> float:
    """In the unit that the kind's name ends with."""
    if kind == "memory_mib":
        return (response.peak_memory_bytes - MEMORY) / MEBIBYTE
    return (response.wall.ToNanoseconds() / 1e9 - SECONDS) * 1e3


async def measure(runs: int) -> dict[str, list[float]]:
    """Overshoots by kind."""
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory(prefix="b") as data:
        async with (
            LocalStack(Path(data), services=["sandbox-executor"]) as local,
            open_channel(local.addresses["sandbox-executor"]) as channel,
        ):
            stub = sandbox_pb2_grpc.SandboxServiceStub(channel)
            for _ in track(range(runs), "rounds", console=Console(stderr=True)):
                for kind, (limits, source, outcome) in KINDS.items():
                    request = pb.ExecuteRequest(source=source, limits=limits)
                    response = await stub.Execute(request)
                    assert response.outcome == outcome, response
                    found[kind].append(overshoot(kind, response))
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sandbox_limits")
    parser.add_argument("--runs", type=int, default=20, help="of each kind")
    overshoots = asyncio.run(measure(parser.parse_args().runs))
    table = Table("beyond the limit", "p50", "most", box=None)
    keys: dict[str, float] = {}
    for kind, each in overshoots.items():
        middle, most = round(statistics.median(each), 1), round(max(each), 1)
        table.add_row(kind.replace("_", ", "), str(middle), str(most))
        keys |= {f"{kind}_p50": middle, f"{kind}_most": most}
    Console().print(table)
    print(json.dumps({"benchmark": "sandbox_limits", **keys}))
