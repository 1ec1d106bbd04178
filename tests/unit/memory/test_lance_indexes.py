"""The life of the vector index, with bounds made small so that it takes thousands of rows."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from services.memory import lance_indexes, lance_search
from services.memory.embedder import EmbedderIdentity
from services.memory.lancedb_store import LancedbStore
from services.memory.records import Level
from services.memory.scope import Scope, Selection
from services.memory.statistics import IndexStatistics
from tests.unit.memory.drafts import episode, records

DIMENSION = 64
IDENTITY = EmbedderIdentity("test-64", DIMENSION)
EVERYWHERE = Scope("people", (Level.EPISODE,))


@pytest.fixture
async def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LancedbStore]:
    monkeypatch.setattr(lance_indexes, "EXACT_ROWS", 1_000)
    monkeypatch.setattr(lance_search, "EXACT_ROWS", 1_000)
    monkeypatch.setattr(lance_indexes, "_PARTITION_ROWS", 250)
    store = await LancedbStore.open(tmp_path / "lance", IDENTITY)
    yield store
    await store.close()


def clustered(seed: int, count: int) -> np.ndarray:
    centres = np.random.default_rng(0).normal(size=(40, DIMENSION))
    rng = np.random.default_rng(seed)
    raw = centres[rng.integers(0, 40, count)] + 0.5 * rng.normal(size=(count, DIMENSION))
    return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)


async def grow(store: LancedbStore, seed: int, count: int, namespace: str = "people"):
    drafts = [
        episode(f"row {seed} {n}", f"somas/{n % 50}", namespace=namespace) for n in range(count)
    ]
    rows, vectors = records(*drafts), clustered(seed, count)
    await store.append(rows, vectors)
    return rows, vectors


async def vector_index(store: LancedbStore) -> list[IndexStatistics]:
    return [each for each in (await store.statistics()).indexes if each.column == "vector"]


async def recall(store: LancedbStore, rows, vectors) -> float:
    hits = 0
    for query in clustered(99, 20):
        found = (await store.nearest(EVERYWHERE, query, 10)).records
        nearest = np.argsort(-(vectors @ query))[:10]
        hits += len({record.id for record in found} & {rows[place].id for place in nearest})
    return hits / 200


async def test_it_is_made_once_there_are_many_rows_and_made_anew_as_they_grow(store) -> None:
    rows, vectors = await grow(store, 1, 900)
    await store.tend_indexes()
    assert await vector_index(store) == []
    more, farther = await grow(store, 2, 600)
    rows, vectors = [*rows, *more], np.concatenate([vectors, farther])
    await store.tend_indexes()
    (index,) = await vector_index(store)
    assert (index.kind, index.indexed_rows, index.unindexed_rows) == ("IVF_RQ", 1500, 0)
    assert await recall(store, rows, vectors) > 0.95
    more, farther = await grow(store, 3, 500)
    rows, vectors = [*rows, *more], np.concatenate([vectors, farther])
    await store.tend_indexes()
    (index,) = await vector_index(store)
    assert index.unindexed_rows == 500
    assert await recall(store, rows, vectors) > 0.95  # with rows that it does not cover
    await store.optimize()
    (index,) = await vector_index(store)
    assert (index.indexed_rows, index.unindexed_rows) == (2000, 0)
    before = store._indexes.partitions
    more, farther = await grow(store, 4, 5000)
    rows, vectors = [*rows, *more], np.concatenate([vectors, farther])
    await store.tend_indexes()
    (index,) = await vector_index(store)
    assert (index.indexed_rows, store._indexes.partitions) == (7000, 28)
    assert before == 6
    assert await recall(store, rows, vectors) > 0.95


async def test_it_outlives_a_restart_and_what_a_killed_process_left(store, tmp_path) -> None:
    await grow(store, 1, 1500)
    await store.tend_indexes()
    raw, partitions = store._table.raw, store._indexes.partitions
    # A better index was made, and the process killed before it dropped the other.
    await raw.create_index(
        "vector",
        config=lance_indexes.IvfRq(num_partitions=7, distance_type="cosine"),
        name="vector_7",
    )
    await store.close()
    again = await LancedbStore.open(tmp_path / "lance", IDENTITY)
    assert (partitions, again._indexes.partitions) == (6, 7)
    await again.tend_indexes()
    assert len(await vector_index(again)) == 1
    await again.close()


async def test_a_small_namespace_in_a_large_table_is_searched_exactly(store) -> None:
    await grow(store, 1, 3000, namespace="crowd")
    rows, vectors = await grow(store, 2, 40)
    await store.tend_indexes()
    assert await recall(store, rows, vectors) == 1.0


async def test_forgotten_rows_leave_the_index(store) -> None:
    rows, vectors = await grow(store, 1, 2000)
    await store.tend_indexes()
    nearest = int(np.argmax(vectors @ vectors[7]))
    await store.forget(Selection("people", ids=(rows[nearest].id,)))
    assert await store.purge()
    found = (await store.nearest(EVERYWHERE, vectors[7], 10)).records
    assert rows[nearest].id not in {record.id for record in found}
    assert len(found) == 10


async def test_reads_and_writes_go_on_beside_the_making(store) -> None:
    _, vectors = await grow(store, 1, 4000)

    async def write() -> None:
        for seed in range(2, 8):
            more, _ = await grow(store, seed, 20)
            await store.forget(Selection("people", ids=(more[0].id,)))

    async def read() -> None:
        for place in range(0, 4000, 200):
            found = (await store.nearest(EVERYWHERE, vectors[place], 10)).records
            assert len(found) == 10

    await asyncio.gather(store.tend_indexes(), write(), read())
    await store.optimize()
    (index,) = await vector_index(store)
    assert index.unindexed_rows == 0
    assert (await store.counts())[0].episodes == 4000 + 6 * 19
