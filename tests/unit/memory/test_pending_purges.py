from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.memory.pending_purges import Forgetting, PendingPurges
from services.memory.scope import Selection
from shared.sqlite import Database


@pytest.fixture
async def purges(tmp_path: Path) -> AsyncIterator[PendingPurges]:
    migrations = (PendingPurges.MIGRATION, PendingPurges.IMAGES_MIGRATION)
    database = Database(tmp_path / "memory.sqlite", migrations)
    await database.open()
    yield PendingPurges(database)
    await database.close()


async def test_noted_rows_are_covered_by_id_and_by_soma(purges: PendingPurges) -> None:
    await purges.begin("request 1", "people", [("a", "somas/1"), ("b", "somas/2")])
    assert await purges.covers(Selection("people", ids=("a",)))
    assert await purges.covers(Selection("people", soma="somas/2"))
    assert not await purges.covers(Selection("people", ids=("c",)))
    assert not await purges.covers(Selection("other", ids=("a",)))
    assert not await purges.covers(Selection("people", soma="somas/3"))


async def test_many_ids_are_looked_up_in_parts(purges: PendingPurges) -> None:
    await purges.begin("request 2", "people", [("last", "somas/1")])
    ids = tuple(str(n) for n in range(999))
    assert not await purges.covers(Selection("people", ids=ids))
    assert await purges.covers(Selection("people", ids=(*ids, "last")))


async def test_clearing_spares_what_came_later(purges: PendingPurges) -> None:
    assert await purges.last() == 0
    await purges.begin("request 3", "people", [("a", "somas/1")])
    mark = await purges.last()
    await purges.begin(
        "request 4", "people", [("b", "somas/1"), ("a", "somas/1")]
    )  # a was kept and went again
    await purges.clear(mark)
    assert await purges.covers(Selection("people", ids=("a",)))
    assert await purges.covers(Selection("people", ids=("b",)))
    await purges.clear(await purges.last())
    assert not await purges.covers(Selection("people", soma="somas/1"))


async def test_a_repetition_counts_what_the_first_time_forgot(purges: PendingPurges) -> None:
    members = [("a", "somas/1"), ("b", "somas/1")]
    assert await purges.begin("r", "people", members, ["1", "2"]) == Forgetting(2, ("1", "2"))
    assert await purges.begin("r", "people", []) == Forgetting(2, ("1", "2"))
    assert await purges.begin("other", "people", []) == Forgetting(0, ())
