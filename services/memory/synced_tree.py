"""Makes a tree of files survive a power cut: what Lance leaves to its caller."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

# Within one tick of the file system's clock a change may leave no trace in the time stamp.
_TICK_NS = 100_000_000

Stamp = tuple[int, int]  # time of the last change in nanoseconds, bytes


class SyncedTree:
    """Remembers what was synced, so that only what changed since is synced again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._synced: dict[str, Stamp] = {}

    def sync(self) -> None:
        """Returns once every file of the tree, and every name in it, is on the disk.

        Files that vanish meanwhile were pruned and are not missed. Raises OSError otherwise.
        """
        settled_before = time.time_ns() - _TICK_NS
        found = dict(_walk(str(self.root)))
        for path, stamp in found.items():
            if self._synced.get(path) != stamp:
                _sync(path)
        _sync(str(self.root.parent))
        self._synced = {path: at for path, at in found.items() if at[0] < settled_before}

    def sync_with_ancestors(self) -> None:
        """Like `sync`, and the names of the folders above, which may be new as well."""
        self.sync()
        for folder in self.root.absolute().parents:
            with contextlib.suppress(PermissionError):  # not ours, so not new either
                _sync(str(folder))

    def size(self) -> int:
        """Bytes of all files in the tree."""
        return sum(size for _, (_, size) in _walk(str(self.root)))


def _walk(folder: str) -> Iterator[tuple[str, Stamp]]:
    """All files and folders, the folder itself last; folders count no bytes."""
    try:
        own = os.stat(folder).st_mtime_ns  # noqa: PTH116 (hot path)
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)
            continue
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        yield entry.path, (status.st_mtime_ns, status.st_size)
    yield folder, (own, 0)


def _sync(path: str) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
