"""Cold start and idle memory of each service, as a process of this machine.

Usage: python -m benchmarks.service_footprint [--rounds N]

Each service is started alone, on an empty directory, with its peers away. Its cold start is the
time from the start of the process to SERVING, the median of the rounds; the files that it reads
are in the page cache from the second round on. Its idle memory is the proportional set size (PSS,
proc(5)) of the process and all its children, waiting sandboxes included, three seconds later.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from deploy.local import ALL_SERVICES, LocalStack

_IDLE_SECONDS = 3.0
_MEBIBYTE = 1 << 20


def descendants(pid: int) -> Iterator[int]:
    """The process and all its children, at any depth."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from descendants(int(child))


def pss_bytes(pid: int) -> int:
    """Proportional set size of the process tree."""
    total = 0
    for each in descendants(pid):
        rollup = Path(f"/proc/{each}/smaps_rollup").read_text()
        found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
        total += int(found[1]) * 1024 if found else 0
    return total


async def started_once(service: str, directory: Path) -> tuple[float, int]:
    """Seconds to SERVING and bytes when idle."""
    begun = time.perf_counter()
    async with LocalStack(directory, services=[service]) as stack:
        seconds = time.perf_counter() - begun
        await asyncio.sleep(_IDLE_SECONDS)
        pid = stack.processes[service].pid
        assert pid is not None
        return seconds, pss_bytes(pid)


async def main(rounds: int) -> None:
    """Measures and tells."""
    table = Table("service", "cold start s", "idle MiB", box=None)
    figures: dict[str, float] = {}
    for service in track(list(ALL_SERVICES), "starting", console=Console(stderr=True)):
        starts, idle_bytes = [], []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as directory:
                seconds, size = await started_once(service, Path(directory))
            starts.append(seconds)
            idle_bytes.append(size)
        start, idle = statistics.median(starts), statistics.median(idle_bytes) / _MEBIBYTE
        table.add_row(service, f"{start:.2f}", f"{idle:.0f}")
        key = service.replace("-", "_")
        figures |= {f"{key}_cold_start_s": round(start, 2), f"{key}_idle_mib": round(idle, 1)}
    Console().print(table)
    print(json.dumps({"benchmark": "service_footprint", "rounds": rounds, **figures}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.service_footprint", description=__doc__
    )
    parser.add_argument("--rounds", type=int, default=3)
    asyncio.run(main(parser.parse_args().rounds))
