"""Which rows each Living Image holds: 8 bytes of every id, sorted, one file for each image."""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

import lancedb
import numpy as np
import numpy.typing as npt

from shared.durable import sync, write_durably

Keys = npt.NDArray[np.uint64]

_KNOWN, _UNKNOWN = ".ids", ".unknown"


class HeldIds:
    """Kept beside the tables, and not part of an image. Sixty bits of an id tell rows apart."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def note(self, image: str, tables: Path) -> None:
        """Takes note of all rows in a folder of Lance tables; durable."""
        database = await lancedb.connect_async(tables)
        ids: list[str] = []
        for name in (await database.list_tables()).tables:
            rows = await (await database.open_table(name)).query().select(["id"]).to_arrow()
            ids.extend(rows["id"].to_pylist())
        await asyncio.to_thread(
            lambda: write_durably(self._folder / f"{image}{_KNOWN}", keys_of(ids).tobytes())
        )

    async def retain(self, images: Sequence[str]) -> None:
        """Drops what is known about any other image; of unknown ones it is noted that they are."""
        await asyncio.to_thread(self._retain, set(images))

    async def holding(self, ids: Iterable[str]) -> list[str]:
        """The images that hold any of the rows, sorted; an unknown one may hold every row."""
        return await asyncio.to_thread(self._holding, keys_of(ids))

    def _retain(self, images: set[str]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        known = {path.stem for path in self._folder.glob(f"*{_KNOWN}")}
        for path in self._folder.iterdir():
            if path.stem not in images or (path.suffix == _UNKNOWN and path.stem in known):
                path.unlink(missing_ok=True)
        for image in images - known:
            (self._folder / f"{image}{_UNKNOWN}").touch()
        sync(self._folder)

    def _holding(self, keys: Keys) -> list[str]:
        if not keys.size or not self._folder.is_dir():
            return []
        return sorted(
            path.stem
            for path in self._folder.iterdir()
            if path.suffix == _UNKNOWN or (path.suffix == _KNOWN and _has_any(path, keys))
        )


def keys_of(ids: Iterable[str]) -> Keys:
    """The first 8 bytes of each id (a UUID in hexadecimal), sorted."""
    return np.sort(np.array([int(row_id[:16], 16) for row_id in ids], dtype=np.uint64))


def _has_any(path: Path, keys: Keys) -> bool:
    held = np.fromfile(path, dtype=np.uint64)
    places = np.searchsorted(held, keys)
    inside = places < len(held)
    return bool((held[places[inside]] == keys[inside]).any())
