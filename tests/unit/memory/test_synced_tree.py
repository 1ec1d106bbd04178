import os
from pathlib import Path

import pytest

from services.memory.synced_tree import SyncedTree


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names that were synced, in order."""
    names: list[str] = []
    real_fsync = os.fsync

    def watched(descriptor: int) -> None:
        names.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    return names


def _age(root: Path) -> None:
    """Makes everything look as if it had been written a minute ago."""
    for path in [root, *root.rglob("*")]:
        os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns - 60 * 10**9))


@pytest.fixture
def tree(tmp_path: Path, synced: list[str]) -> SyncedTree:
    """A tree of which everything is synced: root/data/a."""
    root = tmp_path / "root"
    (root / "data").mkdir(parents=True)
    (root / "data" / "a").write_text("a")
    _age(root)
    tree = SyncedTree(root)
    tree.sync()
    assert set(synced) == {"a", "data", "root", tmp_path.name}
    synced.clear()
    return tree


def test_what_is_synced_is_left_alone(tree: SyncedTree, synced: list[str]) -> None:
    tree.sync()
    assert synced == [tree.root.parent.name]


def test_a_new_file_is_synced_with_its_folder(tree: SyncedTree, synced: list[str]) -> None:
    (tree.root / "data" / "b").write_text("b")
    tree.sync()
    assert set(synced) == {"b", "data", tree.root.parent.name}


def test_a_new_folder_is_synced_with_the_one_above(tree: SyncedTree, synced: list[str]) -> None:
    (tree.root / "index").mkdir()
    tree.sync()
    assert set(synced) == {"index", "root", tree.root.parent.name}


def test_a_renamed_file_makes_its_folder_new(tree: SyncedTree, synced: list[str]) -> None:
    (tree.root / "data" / "a").rename(tree.root / "data" / "b")
    tree.sync()
    assert {"b", "data"} <= set(synced)


def test_changed_content_is_synced_again(tree: SyncedTree, synced: list[str]) -> None:
    (tree.root / "data" / "a").write_text("longer")
    tree.sync()
    assert "a" in synced


def test_what_changed_this_very_moment_is_not_trusted(tree: SyncedTree, synced: list[str]) -> None:
    (tree.root / "data" / "b").write_text("b")
    tree.sync()
    synced.clear()
    tree.sync()  # the time stamp may be the same although a write came after the first sync
    assert {"b", "data"} <= set(synced)


def test_the_folders_above_are_synced_on_request(tree: SyncedTree, synced: list[str]) -> None:
    tree.sync_with_ancestors()
    assert {folder.name for folder in tree.root.parents} <= set(synced)


def test_size_adds_the_bytes_of_all_files(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "deep" / "b").write_bytes(b"123")
    assert SyncedTree(tmp_path).size() == 8
