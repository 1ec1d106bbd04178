"""What our server, its layers and mTLS cost a call, beside a bare grpc.aio echo in the same run.

Usage: python -m benchmarks.rpc_overhead [--rounds N] [--calls N]

Three echo servers run as processes of their own: bare, ours, ours with mTLS. Calls go to them in
turns, one after another, so that noise of the machine meets all three alike. Both ends count:
ours is asked over `shared.channel`, the bare one over a bare channel. A stream's figure is the
time from one message to its echo on a stream that stays open. Ratios are those of the medians.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from batos.memory.v1 import memory_pb2 as pb
from batos.memory.v1 import memory_pb2_grpc
from rich.console import Console
from rich.progress import track
from rich.table import Table

from deploy.identity.authority import Authority, place
from shared.channel import open_channel

if TYPE_CHECKING:
    AsyncStub = memory_pb2_grpc.MemoryServiceAsyncStub

KINDS = ("bare", "ours", "mtls")
WARM_UP_CALLS = 200


async def unary(stub: AsyncStub, calls: int) -> list[float]:
    """Seconds of each call."""
    taken = []
    for _ in range(calls):
        start = time.perf_counter()
        await stub.GetStats(pb.GetStatsRequest(namespace="echo"))
        taken.append(time.perf_counter() - start)
    return taken


async def stream(stub: AsyncStub, messages: int) -> list[float]:
    """Seconds from each message to its echo."""
    taken = []
    call = stub.CreateEpisodes()
    for _ in range(messages):
        start = time.perf_counter()
        await call.write(pb.CreateEpisodesRequest(request_id="echo"))
        await call.read()
        taken.append(time.perf_counter() - start)
    await call.done_writing()
    return taken


@asynccontextmanager
async def server(kind: str, root: Path) -> AsyncIterator[AsyncStub]:
    """A stub for an echo server of a kind."""
    tls_dir = [str(root / "memory")] if kind == "mtls" else []
    process = subprocess.Popen(  # noqa: ASYNC220 - at the start, before anything is measured
        [
            sys.executable,
            "-m",
            "benchmarks.rpc_echo",
            "bare" if kind == "bare" else "ours",
            *tls_dir,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    address = f"127.0.0.1:{process.stdout.readline().strip()}"
    try:
        async with _channel(kind, address, root) as channel:
            yield memory_pb2_grpc.MemoryServiceStub(channel)
    finally:
        process.stdin.close()
        process.wait(10)


def _channel(kind: str, address: str, root: Path) -> grpc.aio.Channel:
    if kind == "bare":
        return grpc.aio.insecure_channel(address)
    return open_channel(address, root / "operator" if kind == "mtls" else None)


async def measured(stubs: dict[str, AsyncStub], rounds: int, calls: int) -> dict[str, list[float]]:
    """Seconds by "unary bare", "stream ours" and so on."""
    ways = {"unary": unary, "stream": stream}
    taken: dict[str, list[float]] = {f"{way} {kind}": [] for way in ways for kind in KINDS}
    for stub in stubs.values():
        await unary(stub, WARM_UP_CALLS)
    for _ in track(range(rounds), "calling", console=Console(stderr=True)):
        for way, run in ways.items():
            for kind, stub in stubs.items():
                taken[f"{way} {kind}"] += await run(stub, calls)
    return taken


def told(taken: dict[str, list[float]]) -> dict[str, float]:
    """Prints the table; the figures for programs."""
    table = Table("", "p50 ms", "p99 ms", "ratio to bare", box=None)
    figures: dict[str, float] = {}
    for name, seconds in taken.items():
        way, kind = name.split()
        p50, p99 = (statistics.quantiles(seconds, n=100)[place] * 1000 for place in (49, 98))
        ratio = p50 / (statistics.median(taken[f"{way} bare"]) * 1000)
        table.add_row(name, f"{p50:.3f}", f"{p99:.3f}", f"{ratio:.2f}")
        prefix = ("" if way == "unary" else "stream_") + {"ours": "", "bare": "bare_"}.get(
            kind, "mtls_"
        )
        figures[f"{prefix}p50_ms"] = round(p50, 4)
        if kind != "bare":
            figures[f"{prefix}ratio"] = round(ratio, 3)
    Console().print(table)
    return figures


async def main(rounds: int, calls: int) -> None:
    """Measures and tells."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        authority = Authority.opened(root / "authority")
        for name in ("memory", "operator"):
            place(authority, root / name, name, timedelta(days=1))
        async with (
            server("bare", root) as bare,
            server("ours", root) as ours,
            server("mtls", root) as mtls,
        ):
            stubs = {"bare": bare, "ours": ours, "mtls": mtls}
            taken = await measured(stubs, rounds, calls)
    print(json.dumps({"benchmark": "rpc_overhead", "rounds": rounds, **told(taken)}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rpc_overhead", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--calls", type=int, default=200, help="calls per server in each round")
    options = parser.parse_args()
    asyncio.run(main(options.rounds, options.calls))
