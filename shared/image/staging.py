"""Importing: files of an image are taken and checked beside what is in use."""

import asyncio
import errno
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from shared.durable import sync
from shared.errors import DataLoss, InvalidArgument, ResourceExhausted
from shared.image.layout import Layout, checked_file_name
from shared.image.part import Model, Part


@dataclass(frozen=True, slots=True)
class Arriving:
    """A file as it was announced."""

    name: str
    size_bytes: int
    sha256: bytes


Piece = Arriving | bytes


class Staging:
    """Takes imports for one part."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._layout = Layout(part.data_dir)

    async def take(self, image: str, pieces: AsyncIterator[Piece]) -> Sequence[Model]:
        """Returns once everything is whole, checked, of this schema, and durable.

        InvalidArgument for files that nobody would export, DataLoss for those that are not what
        was announced, FailedPrecondition (SCHEMA_TOO_NEW), ResourceExhausted (DISK_FULL).
        """
        staged, arriving = self._layout.staged(image), self._layout.arriving(image)
        for folder in self._layout.root.glob("staged-*"):
            await asyncio.to_thread(shutil.rmtree, folder)
        await asyncio.to_thread(shutil.rmtree, arriving, True)
        arriving.mkdir(parents=True)
        try:
            await self._receive(arriving, pieces)
            models = await self._checked(arriving)
            await asyncio.to_thread(_sync_tree, arriving)
        except BaseException as error:
            await asyncio.to_thread(shutil.rmtree, arriving, True)
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise ResourceExhausted("the disk is full", reason="DISK_FULL") from error
            raise
        arriving.rename(staged)
        sync(self._layout.root)
        return models

    async def _receive(self, folder: Path, pieces: AsyncIterator[Piece]) -> None:
        with ExitStack() as files:
            file: _File | None = None
            async for piece in pieces:
                if isinstance(piece, Arriving):
                    if file is not None:
                        await asyncio.to_thread(file.finish)
                    file = _File(folder / self._admitted(piece.name), piece)
                    files.callback(file.close)
                elif file is None:
                    raise InvalidArgument.of_field("chunk", "comes before any file")
                else:
                    await asyncio.to_thread(file.add, piece)
            if file is not None:
                await asyncio.to_thread(file.finish)

    def _admitted(self, name: str) -> Path:
        path = checked_file_name(name)
        if len(path.parts) == 1 and name in self._part.databases:
            return path
        if len(path.parts) > 1 and path.parts[0] in self._part.folders:
            return path
        raise InvalidArgument.of_field("file.name", f"{name[:80]!r} is no file of this part")

    async def _checked(self, folder: Path) -> Sequence[Model]:
        for name, database in self._part.databases.items():
            if not (folder / name).is_file():
                raise DataLoss(f"{name} is missing")
            await database.check_copy(folder / name)
        return await self._part.prepare(folder)


class _File:
    """A file that comes in pieces."""

    def __init__(self, path: Path, announced: Arriving) -> None:
        if path.exists():
            raise InvalidArgument.of_field("file.name", f"{announced.name} comes twice")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._announced = announced
        self._file: BinaryIO = path.open("xb")
        self._hash = hashlib.sha256()
        self._left = announced.size_bytes

    def add(self, chunk: bytes) -> None:
        """Takes the next bytes."""
        self._left -= len(chunk)
        if self._left < 0:
            raise DataLoss(f"{self._announced.name} is longer than announced")
        self._hash.update(chunk)
        self._file.write(chunk)

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()

    def finish(self) -> None:
        """Syncs what came; DataLoss where it is not what was announced."""
        with self._file:
            self._file.flush()
            os.fsync(self._file.fileno())
        if self._left:
            raise DataLoss(f"{self._announced.name} is cut off")
        if self._hash.digest() != self._announced.sha256:
            raise DataLoss(f"{self._announced.name} is damaged: its SHA-256 is another")


def _sync_tree(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        sync(path)
