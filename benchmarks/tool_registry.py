"""How fast a registry of many tools answers: search by meaning, a page of the list, one schema.

Usage: python -m benchmarks.tool_registry [--tools N] [--calls N]

The tools are written into the registry's database by its own adapter before the services start (a
trial of each would take minutes); Memory then indexes their descriptions as it would any others'.
Everything is asked over real sockets, one call at a time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import grpc
from batos.memory.v1 import memory_pb2
from batos.memory.v1.memory_pb2_grpc import MemoryServiceStub
from batos.toolforge.v1 import toolforge_pb2 as pb
from batos.toolforge.v1.toolforge_pb2_grpc import ToolForgeServiceStub
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.milliseconds import p50_and_p99
from deploy.local import LocalStack
from services.model_server.starter_model.evaluation import evaluation_set
from services.toolforge.__main__ import MIGRATIONS
from services.toolforge.bell import Bell
from services.toolforge.memory_index import NAMESPACE
from services.toolforge.spec import read_spec
from services.toolforge.sqlite_registry import SqliteRegistry
from services.toolforge.tool import Tool, make_tool
from shared.channel import open_channel
from shared.sqlite import Database

SEARCH_TARGET_MS = 20.0
INDEXING_SECONDS = 600
_LEFT = "SELECT count(*) FROM tools WHERE indexed < revision"


def tools(count: int) -> list[Tool]:
    """Distinct tools with descriptions as people write them."""
    made: dict[str, Tool] = {}
    for number, question in enumerate(evaluation_set("phrase", count, seed=5)):
        drawn = question.spec
        assert drawn is not None
        name = f"{drawn.name}_{number}"
        pairs = [
            (
                json.dumps(dict(zip(drawn.parameters, example.arguments, strict=True))),
                json.dumps(example.result),
            )
            for example in drawn.examples
        ]
        spec = read_spec(name, drawn.description, pairs)
        source = drawn.source.replace(f"def {drawn.name}(", f"def {name}(")
        made[name] = make_tool(spec, source, "benchmark")
    return list(made.values())


async def fill(data: Path, made: list[Tool]) -> None:
    """Writes the tools as the service would."""
    folder = data / "toolforge"
    folder.mkdir(parents=True)
    database = Database(folder / "toolforge.sqlite", MIGRATIONS)
    await database.open()
    registry = SqliteRegistry(database, Bell())
    for tool in made:
        await registry.register(tool, [], lambda connection: None)
    await database.close()


async def indexed(data: Path, total: int, console: Console) -> None:
    """Waits until Memory knows every description."""
    database = Database(data / "toolforge" / "toolforge.sqlite", MIGRATIONS)
    await database.open()
    with Progress(console=console) as progress:
        task = progress.add_task("indexing", total=total)
        for _ in range(INDEXING_SECONDS * 2):
            (left,) = await database.read(
                lambda c: c.execute(
                    "SELECT count(*) FROM tools WHERE indexed < revision"
                ).fetchone()
            )
            progress.update(task, completed=total - left)
            if not left:
                break
            await asyncio.sleep(0.5)
    await database.close()


async def timed(call: Callable[[], Awaitable[Any]], count: int) -> tuple[float, float]:
    """p50 and p99 of so many calls, in milliseconds."""
    times = []
    for _ in range(count + 3):
        begun = time.perf_counter()
        await call()
        times.append((time.perf_counter() - begun) * 1000)
    return p50_and_p99(times[3:])


async def recall(channel: grpc.aio.Channel, rng: Random, made: list[Tool]) -> None:
    """The search that ToolForge sends on."""
    request = memory_pb2.SearchRequest(
        namespace=NAMESPACE,
        query=rng.choice(made).spec.description,
        limit=5,
    )
    await MemoryServiceStub(channel).Search(request)


async def measure(count: int, calls: int, console: Console) -> dict[str, Any]:
    """Fills, starts, asks."""
    made = await asyncio.to_thread(tools, count)
    rng = Random(1)
    with tempfile.TemporaryDirectory(prefix="b") as folder:
        data = Path(folder)
        await fill(data, made)
        async with LocalStack(data, services=("memory", "toolforge")) as stack:
            await indexed(data, len(made), console)
            async with open_channel(stack.addresses["toolforge"]) as channel:
                stub = ToolForgeServiceStub(channel)
                search, found = [], 0

                async def ask() -> None:
                    nonlocal found
                    tool = rng.choice(made)
                    request = pb.SearchToolsRequest(query=tool.spec.description, limit=5)
                    hits = (await stub.SearchTools(request)).hits
                    found += any(hit.tool.spec.description == tool.spec.description for hit in hits)
                    search.append(len(hits))

                results = {"search": await timed(ask, calls)}
                async with open_channel(stack.addresses["memory"]) as memory:
                    results["memory"] = await timed(lambda: recall(memory, rng, made), calls)
                results["list_50"] = await timed(
                    lambda: stub.ListTools(pb.ListToolsRequest()), calls
                )
                results["schema"] = await timed(
                    lambda: stub.GetTool(pb.GetToolRequest(name=f"tools/{rng.choice(made).name}")),
                    calls,
                )
    return {"results": results, "found_share": round(found / len(search), 3), "tools": len(made)}


def main() -> None:
    """Measure, print a table, and one JSON line last."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tools", type=int, default=1000)
    parser.add_argument("--calls", type=int, default=200)
    arguments = parser.parse_args()
    measured = asyncio.run(measure(arguments.tools, arguments.calls, Console(stderr=True)))
    table = Table(f"{measured['tools']} tools, ms", "p50", "p99")
    line: dict[str, Any] = {}
    for name, (p50, p99) in measured["results"].items():
        table.add_row(name, str(p50), str(p99))
        line |= {f"{name}_p50_ms": p50, f"{name}_p99_ms": p99}
    Console().print(table)
    line |= {
        "search_target_ms": SEARCH_TARGET_MS,
        "found_share": measured["found_share"],
        "tools": measured["tools"],
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
