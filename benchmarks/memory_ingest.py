"""Ingest: episodes a second through gRPC until they are synced, beside plain LanceDB.

Usage: python -m benchmarks.memory_ingest [--episodes N] [--batch N] [--rounds N]

One stream of `CreateEpisodes` into a Memory of its own, as a bulk import does it: texts are
embedded, looked up among what is kept already, appended and synced before they are acknowledged.
`raw` is LanceDB in this process: the same embedder makes the vectors of a batch, it is added, and
the files are synced; `raw, vectors ready` finds the vectors made already, which no caller of the
service can. Each round takes new tables; all figures are medians of the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batos.memory.v1 import memory_pb2 as pb
from batos.memory.v1 import memory_pb2_grpc
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.memory_texts import Texts
from deploy.local import LocalStack
from services.memory import lance_catalog, lance_rows
from services.memory.batch import Batch, placed, rows_of
from services.memory.records import Draft, Level, Record
from services.memory.wordllama_embedder import WordllamaEmbedder
from shared.channel import open_channel

if TYPE_CHECKING:
    AsyncStub = memory_pb2_grpc.MemoryServiceAsyncStub

NAMESPACE = "imported"
SOMA_TURNS = 20
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

Measure = Callable[[list[str], int], Coroutine[Any, Any, float]]


async def through_the_service(texts: list[str], batch: int) -> float:
    """Seconds until the last batch was acknowledged."""
    with tempfile.TemporaryDirectory(prefix="b") as directory:
        async with (
            LocalStack(Path(directory), services=["memory"]) as local,
            open_channel(local.addresses["memory"]) as channel,
        ):
            stub: AsyncStub = memory_pb2_grpc.MemoryServiceStub(channel)
            requests = [request(texts, first, batch) for first in range(0, len(texts), batch)]
            begun = time.perf_counter()
            kept = 0
            async for answer in stub.CreateEpisodes(stream(requests)):
                kept += len(answer.ids)
            assert kept == len(texts)
            return time.perf_counter() - begun


async def stream(requests: list[pb.CreateEpisodesRequest]) -> AsyncIterator[Any]:
    """All requests, as fast as they are taken."""
    for each in requests:
        yield each


def request(texts: list[str], first: int, batch: int) -> pb.CreateEpisodesRequest:
    """One batch; a turn a second."""
    episodes = [
        pb.NewEpisode(
            soma=f"somas/{at // SOMA_TURNS}",
            speaker="user",
            text=texts[at],
            created_at=Timestamp(seconds=int(BEGIN.timestamp()) + at),
        )
        for at in range(first, min(first + batch, len(texts)))
    ]
    return pb.CreateEpisodesRequest(
        request_id=str(uuid.uuid4()), namespace=NAMESPACE, episodes=episodes
    )


def rows(texts: list[str]) -> list[Record]:
    """The same episodes as finished rows."""
    drafts = [
        Draft(
            NAMESPACE,
            Level.EPISODE,
            f"somas/{at // SOMA_TURNS}",
            "user",
            text,
            BEGIN + timedelta(seconds=at),
        )
        for at, text in enumerate(texts)
    ]
    return placed(rows_of([Batch(str(uuid.uuid4()), drafts)]), {})


async def raw(texts: list[str], batch: int, *, embedding: bool) -> float:
    """Seconds until the last batch was synced."""
    embedder = WordllamaEmbedder()
    records, vectors = rows(texts), await embedder.embed(texts)
    places = range(0, len(records), batch)
    tables = [
        lance_rows.to_table(
            records[first : first + batch], vectors[first : first + batch], embedder.identity
        )
        for first in places
    ]
    with tempfile.TemporaryDirectory(prefix="b") as directory:
        table = await lance_catalog.open_table(Path(directory), "records", embedder.identity)
        begun = time.perf_counter()
        for first, ready in zip(places, tables, strict=True):
            if embedding:
                await embedder.embed(texts[first : first + batch])
            await table.raw.add(ready)
            await table.sync()
        seconds = time.perf_counter() - begun
    await embedder.close()
    return seconds


async def raw_ready(texts: list[str], batch: int) -> float:
    """Plain LanceDB that finds its vectors made."""
    return await raw(texts, batch, embedding=False)


async def raw_embedding(texts: list[str], batch: int) -> float:
    """Plain LanceDB and the embedder."""
    return await raw(texts, batch, embedding=True)


async def main(episodes: int, batch: int, rounds: int) -> None:
    """Rounds of all three, by turns."""
    measures: dict[str, Measure] = {
        "service": through_the_service,
        "raw": raw_embedding,
        "raw, vectors ready": raw_ready,
    }
    found: dict[str, list[float]] = {name: [] for name in measures}
    for turn in track(range(rounds), "rounds", console=Console(stderr=True)):
        texts = Texts(seed=turn).draw(episodes)
        for name, measure in measures.items():
            found[name].append(episodes / await measure(texts, batch))
    rates = {name: statistics.median(each) for name, each in found.items()}
    table = Table("", "episodes/s", "service / it", box=None)
    for name, rate in rates.items():
        table.add_row(name, f"{rate:,.0f}", f"{rates['service'] / rate:.2f}")
    Console().print(table)
    last = {
        "benchmark": "memory_ingest",
        "episodes_per_second": round(rates["service"]),
        "raw_lancedb_per_second": round(rates["raw"]),
        "ratio": round(rates["service"] / rates["raw"], 3),
        "raw_vectors_ready_per_second": round(rates["raw, vectors ready"]),
        "ratio_vectors_ready": round(rates["service"] / rates["raw, vectors ready"], 3),
    }
    print(json.dumps(last))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory_ingest")
    parser.add_argument("--episodes", type=int, default=50_000, help="in each round")
    parser.add_argument(
        "--batch", type=int, default=1_000, help="episodes of a request, at most 1,000"
    )
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    asyncio.run(main(given.episodes, given.batch, given.rounds))
