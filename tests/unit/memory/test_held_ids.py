"""Which images hold a row: known exactly, or said of every row."""

import uuid
from pathlib import Path

from services.memory.held_ids import HeldIds
from services.memory.lancedb_store import LancedbStore
from tests.unit.memory.drafts import episode


async def test_of_rows_that_were_there_at_the_cut_it_is_known(
    store: LancedbStore, writer, tmp_path: Path
) -> None:
    held = HeldIds(tmp_path / "held")
    assert await held.holding([uuid.uuid4().hex]) == []
    before = (await (await writer.append(str(uuid.uuid4()), [episode("a"), episode("b")]))).ids
    await held.note("first", tmp_path / "lance")
    later = (await (await writer.append(str(uuid.uuid4()), [episode("c")]))).ids
    await held.note("second", tmp_path / "lance")
    again = HeldIds(tmp_path / "held")
    assert await again.holding(before) == ["first", "second"]
    assert await again.holding(later) == ["second"]
    assert await again.holding([*later, before[0]]) == ["first", "second"]
    assert await again.holding([uuid.uuid4().hex]) == []


async def test_an_unknown_image_may_hold_every_row(
    store: LancedbStore, writer, tmp_path: Path
) -> None:
    held = HeldIds(tmp_path / "held")
    (row,) = (await (await writer.append(str(uuid.uuid4()), [episode("a")]))).ids
    await held.note("known", tmp_path / "lance")
    await held.retain(["known", "brought"])
    await held.retain(["known", "brought"])
    assert await held.holding([row]) == ["brought", "known"]
    assert await held.holding([uuid.uuid4().hex]) == ["brought"]
    assert await held.holding([]) == []
    await held.note("brought", tmp_path / "lance")
    await held.retain(["brought"])
    assert await held.holding([row]) == ["brought"]
    assert await held.holding([uuid.uuid4().hex]) == []
    await held.retain([])
    assert await held.holding([row]) == []


async def test_an_empty_table_holds_nothing(store: LancedbStore, tmp_path: Path) -> None:
    held = HeldIds(tmp_path / "held")
    await held.note("empty", tmp_path / "lance")
    assert await held.holding([uuid.uuid4().hex]) == []
