"""Cuts: what a service had at one moment, pinned while writes were held, exported at leisure."""

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from shared.errors import FailedPrecondition, InvalidArgument
from shared.image.layout import Layout
from shared.image.part import Part
from shared.sqlite import Snapshot

CHUNK_BYTES = 1 << 20
LONGEST_SECONDS = 600.0

_log = structlog.get_logger()


@dataclass(slots=True)
class _Cut:
    folder: Path
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    held: AsyncExitStack = field(default_factory=AsyncExitStack)
    frozen: bool = True
    timer: asyncio.TimerHandle | None = None


class Cuts:
    """The cuts of one part; at most one is frozen at a time."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._layout = Layout(part.data_dir)
        self._cuts: dict[str, _Cut] = {}
        self._thawing: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()

    async def freeze(self, image: str, ttl: float, model_tags: Sequence[str]) -> int:
        """Holds writes and pins; the bytes that `export` will give, about.

        InvalidArgument for a time that is none. Lets go of every other cut.
        """
        if not 0 < ttl <= LONGEST_SECONDS:
            raise InvalidArgument.of_field("ttl", f"must be above 0, at most {LONGEST_SECONDS:g} s")
        folder = self._layout.cut(image)
        async with self._one_at_a_time:
            if image in self._cuts:
                return await asyncio.to_thread(_size, folder)
            # Only one image is made at a time: whoever froze for another one is no more.
            await self.close()
            cut = self._cuts[image] = _Cut(folder)
            try:
                await cut.held.enter_async_context(self._part.quiet())
                cut.timer = asyncio.get_running_loop().call_later(ttl, self._expire, image)
                await self._pin(cut, model_tags)
            except BaseException:
                await self._drop(image)
                raise
            databases = (s.size_bytes for s in cut.snapshots.values())
            return sum(databases) + await asyncio.to_thread(_size, folder)

    async def thaw(self, image: str) -> None:
        """Lets writes go on; FailedPrecondition (THAWED_EARLY) where they did already."""
        cut = self._cuts.get(image)
        if cut is None or not cut.frozen:
            raise FailedPrecondition(
                "writes went on before the image was cut; save it again", reason="THAWED_EARLY"
            )
        await self._release(cut)

    async def export(self, image: str) -> AsyncGenerator[tuple[str, int] | bytes, None]:
        """Each file's name and size, then its bytes; databases first."""
        cut = self._cuts.get(image)
        if cut is None:
            raise FailedPrecondition(f"no cut for {image} is held here", reason="NOT_CUT")
        for name, snapshot in cut.snapshots.items():
            await snapshot.copy_to(cut.folder / name)
        await self._part.note(image, cut.folder)
        for path in await asyncio.to_thread(lambda: sorted(_files(cut.folder))):
            yield path.relative_to(cut.folder).as_posix(), path.stat().st_size
            with path.open("rb") as file:
                while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                    yield chunk

    async def discard(self, image: str) -> None:
        """Lets go of a cut and of imported files that are not in use; of every cut for ""."""
        if not image:
            await self.close()
            return
        await self._drop(image)
        await asyncio.to_thread(self._layout.discard, image)

    async def close(self) -> None:
        """Lets go of everything."""
        for image in list(self._cuts):
            await self._drop(image)

    async def _pin(self, cut: _Cut, model_tags: Sequence[str]) -> None:
        for name, database in self._part.databases.items():
            cut.snapshots[name] = await database.snapshot()
        for to, folder in self._part.trees(model_tags):
            await asyncio.to_thread(_link, cut.folder / to, folder)

    def _expire(self, image: str) -> None:
        cut = self._cuts.get(image)
        if cut is not None and cut.frozen:
            _log.warning("thawed by itself", image=image)
            task = asyncio.ensure_future(self._release(cut))
            self._thawing.add(task)
            task.add_done_callback(self._thawing.discard)

    async def _release(self, cut: _Cut) -> None:
        cut.frozen = False
        if cut.timer is not None:
            cut.timer.cancel()
        await cut.held.aclose()

    async def _drop(self, image: str) -> None:
        cut = self._cuts.pop(image, None)
        if cut is None:
            return
        await self._release(cut)
        for snapshot in cut.snapshots.values():
            await snapshot.close()
        await asyncio.to_thread(shutil.rmtree, cut.folder, True)


def _link(to: Path, source: Path) -> None:
    """Links every file: none of them changes once it is there, and this way none can go away."""
    for path in _files(source):
        linked = to / path.relative_to(source)
        linked.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, linked)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in _files(folder))
