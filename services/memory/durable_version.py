"""Which version of a Lance table is on the disk whole, so that a power cut loses no more.

Lance syncs nothing. A version that was visible when the power went may refer to files that are cut
off, or be cut off itself, and Lance then opens no version at all. So the number of each version is
written down once everything that it consists of is synced, and whoever starts goes back to that
one: of what came later nobody was told.
"""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import structlog

from shared.durable import sync, write_durably

_MARK = "durable-version"
_VERSIONS = "_versions"
_SUFFIX = ".manifest"
_HINT = "latest_version_hint.json"
_MAGIC = b"LANC"  # the last bytes of a whole manifest
_MOST = (1 << 64) - 1  # names of manifests count down from it, or up from 0

_log = structlog.get_logger()


class DurableVersion:
    """The mark in a table's folder."""

    def __init__(self, table: Path) -> None:
        self._table = table
        self._lock = threading.Lock()
        self._marked = 0

    def newest(self) -> int:
        """The newest version that is visible; 0 where there is none."""
        return max(_manifests(self._table), default=0)

    def mark(self, version: int) -> None:
        """Notes that a version, and all that it consists of, is synced; durable."""
        with self._lock:
            if version > self._marked:
                write_durably(self._table / _MARK, str(version))
                self._marked = version


def settle(tables: Path) -> None:
    """Puts each table of a folder back to the version that is known to be whole.

    Nobody may have a table open. One of which no version was ever whole has nothing in it that
    anybody was told of, and goes where it cannot be read.
    """
    for table in tables.glob("*.lance"):
        manifests = _manifests(table)
        marked = _marked(table)
        if marked is None:
            if not manifests or not _is_whole(manifests[max(manifests)]):
                _log.warning("a table was never finished", table=table.name)
                shutil.rmtree(table)
        elif marked in manifests:
            _drop(table, [path for version, path in manifests.items() if version > marked])


def _drop(table: Path, manifests: list[Path]) -> None:
    if not manifests:
        return
    _log.warning("versions were not finished", table=table.name, count=len(manifests))
    (table / _VERSIONS / _HINT).unlink(missing_ok=True)
    for path in manifests:
        path.unlink()
    sync(table / _VERSIONS)


def _marked(table: Path) -> int | None:
    try:
        return int((table / _MARK).read_text(encoding="ascii"))
    except FileNotFoundError:
        return None


def _manifests(table: Path) -> dict[int, Path]:
    return dict(_numbered(table / _VERSIONS))


def _numbered(versions: Path) -> Iterator[tuple[int, Path]]:
    for path in versions.glob(f"*{_SUFFIX}"):
        if path.stem.isdecimal():
            number = int(path.stem)
            yield (_MOST - number if number > _MOST // 2 else number), path


def _is_whole(manifest: Path) -> bool:
    return manifest.read_bytes()[-len(_MAGIC) :] == _MAGIC
