"""Makes a tree of write-once files survive a power cut: what Lance leaves to its caller."""

import os
from pathlib import Path


class SyncedTree:
    """Remembers which files were synced, so that each is synced once.

    Right for trees whose files never change after they have their name, but for those in
    `rewritten`, which are synced every time.
    """

    def __init__(self, root: Path, rewritten: frozenset[str] = frozenset()) -> None:
        self.root = root
        self._rewritten = rewritten
        self._synced: frozenset[str] = frozenset()

    def sync(self) -> None:
        """Returns once every file of the tree, and every name in it, is on the disk.

        Files that vanish meanwhile were pruned and are not missed. Raises OSError otherwise.
        """
        seen = set()
        for folder, _, names in os.walk(self.root):
            paths = {os.path.join(folder, name) for name in names}  # noqa: PTH118 (hot path)
            for path in paths:
                if path not in self._synced or os.path.basename(path) in self._rewritten:  # noqa: PTH119
                    _sync(path)
            # A folder is as new as its newest name; folders of old names only are left alone.
            if folder not in self._synced or not paths <= self._synced:
                _sync(folder)
            seen |= paths | {folder}
        _sync(str(self.root.parent))
        self._synced = frozenset(seen)

    def size(self) -> int:
        """Bytes of all files in the tree."""
        return sum(
            _size(os.path.join(folder, name))  # noqa: PTH118 (hot path)
            for folder, _, names in os.walk(self.root)
            for name in names
        )


def _sync(path: str) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 (hot path)
    except FileNotFoundError:
        return 0
