"""When the table is cared for; the store is real, and counts what is asked of it."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.memory import upkeep as upkeep_module
from services.memory.library import Library
from services.memory.pending_purges import PendingPurges
from services.memory.scope import Selection
from services.memory.upkeep import Upkeep
from services.memory.writer import Writer
from shared.sqlite import Database
from tests.unit.memory.drafts import episode


@pytest.fixture
async def purges(tmp_path: Path) -> AsyncIterator[PendingPurges]:
    migrations = (PendingPurges.MIGRATION, PendingPurges.IMAGES_MIGRATION)
    database = Database(tmp_path / "purges.sqlite", migrations)
    await database.open()
    yield PendingPurges(database)
    await database.close()


@pytest.fixture
def care(library: Library, writer: Writer, purges: PendingPurges, monkeypatch) -> Upkeep:
    async def drop_unfinished() -> None:
        """Nothing is unfinished here."""

    care = Upkeep(library, writer, purges, drop_unfinished, interval=3600)
    care.done = []
    for name in ("optimize", "purge", "tend_indexes"):
        real = getattr(library.shelf.store, name)

        async def counted(real=real, name=name):
            care.done.append(name)
            return await real()

        monkeypatch.setattr(library.shelf.store, name, counted)
    return care


async def written(writer: Writer, count: int, start: int = 0):
    drafts = [episode(f"turn {n}", second=n) for n in range(start, start + count)]
    return (await (await writer.append(str(uuid.uuid4()), drafts))).ids


async def test_a_table_that_nobody_writes_to_is_cared_for_once(care, writer) -> None:
    await written(writer, 3)
    for _ in range(4):
        await care._tick()
    assert care.done == ["optimize", "tend_indexes"]
    assert (await care._library.shelf.store.backlog()).unindexed == 0


async def test_beside_a_stream_of_writes_it_waits_until_an_eighth_is_new(care, writer) -> None:
    await written(writer, 400)
    await care._tick()
    assert care.done == ["optimize", "tend_indexes"]
    care.done.clear()
    for step in range(6):
        await written(writer, 60, start=1000 + 60 * step)
        await care._tick()
        assert bool(care.done) == (step >= 4), step  # 300 are more than the fewest, and an eighth


async def test_beside_a_trickle_of_writes_it_comes_in_the_end(care, writer, monkeypatch) -> None:
    await written(writer, 300)
    await care._tick()
    care.done.clear()
    await written(writer, 1, start=1000)
    await care._tick()
    assert not care.done
    monkeypatch.setattr(upkeep_module, "_LONGEST_SECONDS", -1.0)
    await written(writer, 1, start=1001)
    await care._tick()
    assert care.done == ["optimize", "tend_indexes"]


async def test_what_was_forgotten_is_purged_at_once(care, writer, purges) -> None:
    (row_id,) = await written(writer, 1)
    await purges.begin("7", "people", [(row_id, "somas/1")])
    await writer.alone(lambda: care._library.shelf.store.forget(Selection("people", ids=(row_id,))))
    await care._tick()
    assert care.done == ["purge"]
    assert await purges.last() == 0
    await care._tick()
    assert care.done == ["purge"]


async def test_asked_for_it_comes_at_once_and_finds_nothing_the_second_time(care, writer) -> None:
    await written(writer, 300)
    await care._tick()
    care.done.clear()
    await written(writer, 1, start=1000)
    await care.run_once()
    await care.run_once()
    assert care.done == ["optimize", "tend_indexes"]


async def test_care_that_failed_is_tried_again(care, writer, monkeypatch) -> None:
    await written(writer, 1)
    store = care._library.shelf.store
    real = store.optimize

    async def fail() -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(store, "optimize", fail)
    await care._tick()  # it may be the first of many
    with pytest.raises(OSError, match="no space"):
        await care._tick()
    monkeypatch.setattr(store, "optimize", real)
    await care._tick()
    assert care.done == ["optimize", "tend_indexes"]
