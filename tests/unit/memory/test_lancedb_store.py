import asyncio
import os
from pathlib import Path

import pytest

from services.memory.embedder import EmbedderIdentity
from services.memory.lancedb_store import LancedbStore
from services.memory.records import Level
from services.memory.scope import Scope, Selection
from services.memory.statistics import NamespaceCount
from shared.errors import FailedPrecondition
from tests.unit.memory.drafts import episode, summary
from tests.unit.memory.store_conformance import StoreConformance, add, unit


class TestLancedbStore(StoreConformance):
    """Against the suite of the port."""


async def test_rows_outlive_the_process_that_wrote_them(store, tmp_path: Path) -> None:
    (row,) = await add(store, episode("a"))
    await store.close()
    again = await LancedbStore.open(tmp_path / "lance", store.identity)
    assert await again.fetch([row.id]) == {row.id: row}
    assert await again.speakers("people") == {"user"}
    await again.close()


async def test_another_embedder_is_refused_by_name(store, tmp_path: Path) -> None:
    await store.close()
    with pytest.raises(FailedPrecondition, match=r"wordllama-256 .* other-64 ") as caught:
        await LancedbStore.open(tmp_path / "lance", EmbedderIdentity("other-64", 64))
    assert caught.value.reason == "EMBEDDER_MISMATCH"


async def test_every_file_is_synced_before_a_change_returns(
    store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_fsync = os.fsync
    synced: dict[str, int] = {}

    def watched(descriptor: int) -> None:
        real_fsync(descriptor)
        # What is written beside is renamed once it is synced.
        name = str(Path(f"/proc/self/fd/{descriptor}").readlink()).removesuffix(".new")
        synced[name] = os.fstat(descriptor).st_mtime_ns

    monkeypatch.setattr(os, "fsync", watched)
    before = _times(tmp_path)

    def assert_durable() -> None:
        # A folder has the time of its newest name, a file that of its last byte.
        written = {path: at for path, at in _times(tmp_path).items() if before.get(path) != at}
        assert written
        assert {path: synced.get(path) for path in written} == written

    rows = await add(store, episode("a"), episode("b", second=1), summary("s"))
    assert_durable()
    await store.set_parent("people", "somas/1", rows[2].id)
    assert_durable()
    await store.forget(Selection("people", ids=(rows[0].id,)))
    assert_durable()
    await store.optimize()
    assert_durable()


async def test_a_single_deleted_row_of_many_is_purged_and_the_rest_found(store) -> None:
    rows = await add(store, *(episode(f"number {n}", second=n) for n in range(50)))
    await store.optimize()
    await store.forget(Selection("people", ids=(rows[7].id,)))
    assert await store.purge()
    assert await store.counts() == [NamespaceCount("people", 49, 0)]
    kept = await store.fetch([row.id for row in rows])
    assert kept == {row.id: row for row in rows if row is not rows[7]}


async def test_a_namespace_stays_apart_from_one_that_comes_while_it_is_searched(store) -> None:
    await add(store, *(episode(f"apple {n}", second=n) for n in range(5)))
    scope, vector = Scope("people", tuple(Level)), unit(store, 0)[0]
    finished = asyncio.Event()

    async def read() -> None:
        while not finished.is_set():
            near = await store.nearest(scope, vector, 50)
            matching = await store.matching(scope, "apple", 50)
            for record in (*near.records, *matching.records):
                assert record.namespace == "people"

    readers = [asyncio.create_task(read()) for _ in range(3)]
    await asyncio.sleep(0.05)
    for n in range(10):
        await add(store, episode(f"apple of another {n}", namespace=f"other/{n}"))
    finished.set()
    await asyncio.gather(*readers)
    only = Scope("other/3", (Level.SUMMARY,))
    assert (await store.nearest(only, vector, 50)).records == []


async def test_purging_an_empty_table_is_done_at_once(store) -> None:
    rows = await add(store, episode("a"))
    await store.forget(Selection("people", ids=(rows[0].id,)))
    assert await store.purge()


def _times(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}
