"""Search in large memories: recall of the vector index, latency, and what the service adds to it.

Usage: python -m benchmarks.memory_search [--rows 100000 1000000] [--queries N] [--data-dir DIR]

Fills a Memory of its own with synthetic texts (`benchmarks.memory_texts`) through gRPC, has it make
its indexes, and asks in the mode `flat`, one question at a time. Recall@10 is against all vectors
compared. `raw` is LanceDB in this process on the same files with the same index and settings, given
the vector; the two are asked in turns. Needs about 3 GiB of disk for a million rows.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lancedb
import numpy as np
import numpy.typing as npt
from batos.memory.v1 import memory_pb2 as pb
from batos.memory.v1 import memory_pb2_grpc
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.memory_texts import Texts
from benchmarks.milliseconds import p50_and_p99
from deploy.local import LocalStack
from services.memory.lance_rows import RECORD_COLUMNS
from services.memory.lance_search import PROBES, refine
from services.memory.wordllama_embedder import WordllamaEmbedder
from shared.channel import open_channel

if TYPE_CHECKING:
    AsyncStub = memory_pb2_grpc.MemoryServiceAsyncStub

NAMESPACE = "synthetic"
BATCH = 1_000
SOMA_TURNS = 20
BEST = 10
OTHER_MODES = ("hierarchical", "hybrid", "keyword")

Vectors = npt.NDArray[np.float32]


async def fill(stub: AsyncStub, rows: int, progress: Progress) -> float:
    """Stores so many texts; returns the seconds until the last was acknowledged."""
    texts, task = Texts(seed=1), progress.add_task(f"storing {rows:,}", total=rows)

    async def batches() -> AsyncIterator[pb.CreateEpisodesRequest]:
        for first in range(0, rows, BATCH):
            episodes = [
                pb.NewEpisode(soma=f"somas/{(first + at) // SOMA_TURNS}", speaker="user", text=text)
                for at, text in enumerate(texts.draw(min(BATCH, rows - first)))
            ]
            yield pb.CreateEpisodesRequest(
                request_id=str(uuid.uuid4()), namespace=NAMESPACE, episodes=episodes
            )

    begun = time.perf_counter()
    async for answer in stub.CreateEpisodes(batches(), timeout=7200):
        progress.advance(task, len(answer.ids))
    return time.perf_counter() - begun


async def nearest(table: Any, queries: Vectors, progress: Progress) -> list[set[str]]:
    """The ids of the rows nearest to each query, all vectors compared."""
    rows = await table.count_rows()
    task = progress.add_task("comparing all vectors", total=rows)
    best_ids = np.empty((len(queries), 0), dtype=object)
    best = np.empty((len(queries), 0), dtype=np.float32)
    async for batch in await table.query().select(["id", "vector"]).to_batches():
        vectors = batch["vector"].flatten().to_numpy().reshape(-1, queries.shape[1])
        ids = np.broadcast_to(
            batch["id"].to_numpy(zero_copy_only=False), (len(queries), len(vectors))
        )
        best = np.concatenate([best, queries @ vectors.T], axis=1)
        best_ids = np.concatenate([best_ids, ids], axis=1)
        kept = np.argpartition(-best, min(BEST, best.shape[1] - 1), axis=1)[:, :BEST]
        best = np.take_along_axis(best, kept, axis=1)
        best_ids = np.take_along_axis(best_ids, kept, axis=1)
        progress.advance(task, len(vectors))
    return [set(row) for row in best_ids.tolist()]


async def timed(call: Awaitable[Any]) -> tuple[Any, float]:
    """The answer, and the milliseconds that it took."""
    begun = time.perf_counter()
    answer = await call
    return answer, (time.perf_counter() - begun) * 1000


def request(text: str, mode: str) -> pb.SearchRequest:
    """A question in a mode."""
    return pb.SearchRequest(
        namespace=NAMESPACE,
        query=text,
        limit=BEST,
        mode=pb.SearchMode.Value(f"SEARCH_MODE_{mode.upper()}"),
    )


def raw_search(table: Any, vector: Vectors, *, exact: bool) -> Awaitable[Any]:
    """The same search on the files themselves."""
    query = table.query().nearest_to(vector).column("vector")
    if exact:
        query = query.distance_type("dot").bypass_vector_index()
    else:
        query = query.distance_type("cosine").nprobes(PROBES).refine_factor(refine(BEST))
    found: Awaitable[Any] = query.select([*RECORD_COLUMNS, "_distance"]).limit(BEST).to_arrow()
    return found


async def measure(
    stub: AsyncStub, table: Any, texts: list[str], progress: Progress
) -> dict[str, Any]:
    """Recall and latency of all questions."""
    embedder = WordllamaEmbedder()
    vectors = await embedder.embed(texts)
    await embedder.close()
    truth = await nearest(table, vectors, progress)
    stats = (await stub.GetStats(pb.GetStatsRequest())).table
    indexes = {index.column: index.kind for index in stats.indexes}
    exact = "vector" not in indexes
    task = progress.add_task("asking", total=len(texts) * (1 + len(OTHER_MODES)))
    await stub.Search(request(texts[0], "flat"))
    await raw_search(table, vectors[0], exact=exact)
    hits, own, raw = 0, [], []
    for text, vector, wanted in zip(texts, vectors, truth, strict=True):
        _, took = await timed(raw_search(table, vector, exact=exact))
        raw.append(took)
        answer, took = await timed(stub.Search(request(text, "flat")))
        own.append(took)
        hits += len(wanted & {hit.record.id for hit in answer.hits})
        progress.advance(task)
    p50, p99 = p50_and_p99(own)
    raw_p50, raw_p99 = p50_and_p99(raw)
    found = {
        "rows": stats.row_count,
        "recall_at_10": hits / BEST / len(texts),
        "p50_ms": p50,
        "p99_ms": p99,
        "raw_lancedb_p50_ms": raw_p50,
        "raw_lancedb_p99_ms": raw_p99,
        "overhead_ratio": p50 / raw_p50,
        "vector_index": indexes.get("vector", "exact"),
        "disk_bytes": stats.disk_bytes,
    }
    for mode in OTHER_MODES:
        times = []
        for text in texts:
            times.append((await timed(stub.Search(request(text, mode))))[1])
            progress.advance(task)
        found[f"{mode}_p50_ms"], found[f"{mode}_p99_ms"] = p50_and_p99(times)
    return found


@asynccontextmanager
async def memory(directory: Path) -> AsyncIterator[tuple[AsyncStub, Path]]:
    """A Memory of its own, and where its table is."""
    async with (
        LocalStack(directory, services=["memory"]) as local,
        open_channel(local.addresses["memory"]) as channel,
    ):
        yield memory_pb2_grpc.MemoryServiceStub(channel), directory / "memory" / "lance"


async def at_size(directory: Path, rows: int, queries: int) -> dict[str, Any]:
    """All figures of one size."""
    with Progress(console=Console(stderr=True), transient=True) as progress:
        async with memory(directory) as (stub, files):
            stored = await fill(stub, rows, progress)
            progress.add_task("making indexes", total=None)
            _, indexed = await timed(stub.Optimize(pb.OptimizeRequest(), timeout=7200))
            table = await (await lancedb.connect_async(files)).open_table("records")
            figures = await measure(stub, table, Texts(seed=2).draw(queries), progress)
            return figures | {"episodes_per_second": rows / stored, "index_s": indexed / 1000}


def show(found: list[dict[str, Any]]) -> None:
    """A column per size."""
    table = Table("", *(f"{figures['rows']:,} rows" for figures in found), box=None)
    for name in itertools.islice(found[0], 1, None):
        values = [figures[name] for figures in found]
        table.add_row(name, *(f"{v:,.3f}" if isinstance(v, float) else str(v) for v in values))
    Console().print(table)


async def main(sizes: list[int], queries: int, directory: Path | None) -> None:
    """Measures every size; the JSON is of the largest."""
    found = []
    for rows in sorted(sizes):
        with tempfile.TemporaryDirectory(prefix="b", dir=directory) as own:
            found.append(await at_size(Path(own), rows, queries))
    show(found)
    rounded = {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in found[-1].items()
    }
    print(json.dumps({"benchmark": "memory_search", **rounded}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory_search")
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--data-dir", type=Path, help="where the rows may lie; the default is /tmp")
    given = parser.parse_args()
    asyncio.run(main(given.rows, given.queries, given.data_dir))
