"""Whoever starts goes back to the version that was synced whole, and loses nothing else."""

import uuid
from pathlib import Path

from services.memory.durable_version import DurableVersion, settle
from services.memory.embedder import EmbedderIdentity
from services.memory.lancedb_store import LancedbStore
from services.memory.scope import Selection
from tests.unit.memory.drafts import episode

PEOPLE = Selection("people")


def table(tmp_path: Path) -> Path:
    return tmp_path / "lance" / "records.lance"


def manifests(tmp_path: Path) -> set[Path]:
    return set((table(tmp_path) / "_versions").glob("*.manifest"))


async def texts(tmp_path: Path, identity: EmbedderIdentity) -> list[str]:
    store = await LancedbStore.open(tmp_path / "lance", identity)
    try:
        return sorted(record.text for record in await store.every(PEOPLE))
    finally:
        await store.close()


async def test_a_version_that_was_cut_off_is_given_up(store, writer, tmp_path: Path) -> None:
    await (await writer.append(str(uuid.uuid4()), [episode("kept")]))
    before = manifests(tmp_path)
    await store._table.raw.delete("namespace = 'people'")  # a commit that was never synced
    (cut,) = manifests(tmp_path) - before
    cut.write_bytes(b"")
    settle(tmp_path / "lance")
    assert manifests(tmp_path) == before
    assert await texts(tmp_path, store.identity) == ["kept"]


async def test_what_was_synced_stays(store, writer, tmp_path: Path) -> None:
    for text in ("one", "two"):
        await (await writer.append(str(uuid.uuid4()), [episode(text)]))
    before = manifests(tmp_path)
    settle(tmp_path / "lance")
    settle(tmp_path / "lance")
    assert manifests(tmp_path) == before
    assert await texts(tmp_path, store.identity) == ["one", "two"]


async def test_a_table_that_was_never_finished_is_begun_anew(store, tmp_path: Path) -> None:
    (table(tmp_path) / "durable-version").unlink()
    for path in manifests(tmp_path):
        path.write_bytes(b"")
    settle(tmp_path / "lance")
    assert not table(tmp_path).exists()
    assert await texts(tmp_path, store.identity) == []


async def test_where_the_marked_version_was_pruned_the_newest_counts(
    store, writer, tmp_path: Path
) -> None:
    await (await writer.append(str(uuid.uuid4()), [episode("kept")]))
    (table(tmp_path) / "durable-version").write_text("3")
    for path in manifests(tmp_path):
        if path.stem == str((1 << 64) - 1 - 3):
            path.unlink()
    settle(tmp_path / "lance")
    assert await texts(tmp_path, store.identity) == ["kept"]


def test_a_folder_without_tables_is_left_alone(tmp_path: Path) -> None:
    settle(tmp_path / "lance")
    assert DurableVersion(tmp_path).newest() == 0
