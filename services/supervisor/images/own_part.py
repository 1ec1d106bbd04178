"""The Supervisor's own part of an image: its journal."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from services.supervisor.events import EventKind
from services.supervisor.gpu_lease import ServingState
from services.supervisor.images.parts import ExportPiece, ImportPiece
from services.supervisor.sqlite_journal import micros
from shared.image.cutting import Cuts
from shared.image.layout import Layout
from shared.image.part import Model, Part
from shared.image.staging import Arriving, Piece, Staging

DATABASE = "supervisor.sqlite"


class OwnPart:
    """An `ImagePart` in this process."""

    service = "supervisor"

    def __init__(self, part: Part) -> None:
        self._part = part
        self._cuts = Cuts(part)
        self._staging = Staging(part)
        self._layout = Layout(part.data_dir)

    @property
    def data_dir(self) -> Path:
        """Where this service keeps its state."""
        return self._part.data_dir

    async def close(self) -> None:
        """Lets go of every cut."""
        await self._cuts.close()

    async def freeze(self, image: str, ttl: float, model_tags: Sequence[str]) -> int:
        """See ImagePart."""
        return await self._cuts.freeze(image, ttl, model_tags)

    async def thaw(self, image: str) -> None:
        """See ImagePart."""
        await self._cuts.thaw(image)

    def export(self, image: str) -> AsyncGenerator[ExportPiece, None]:
        """See ImagePart."""
        return self._cuts.export(image)

    async def take(self, key: str, pieces: AsyncIterator[ImportPiece]) -> Sequence[Model]:
        """See ImagePart."""
        return await self._staging.take(key, _pieces(pieces))

    def staged(self, key: str) -> Path:
        """The journal that was taken."""
        return self._layout.staged(key) / DATABASE

    async def state(self) -> tuple[str, int]:
        """See ImagePart."""
        return await asyncio.to_thread(self._layout.loaded_image), self._part.schema

    async def discard(self, key: str) -> None:
        """See ImagePart."""
        await self._cuts.discard(key)


def reconcile(live: Path, staged: Path) -> None:
    """Has nothing that was promised to the outside come twice.

    The fencing token and the generations go on behind the live and the image's own, nobody holds
    the lease, and the journal goes on with the event that tells of the load, behind all that
    anybody has seen.
    """
    token, sequence = 0, 0
    generations: dict[str, int] = {}
    if (live / DATABASE).exists():
        token, sequence, generations = _outstanding(live / DATABASE)
    connection = sqlite3.connect(staged / DATABASE, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "UPDATE gpu_lease SET state = ?, holder = '', request_id = '',"
            " fencing_token = max(fencing_token, ?) + 1",
            (ServingState.SERVING, token),
        )
        for name, generation in generations.items():
            connection.execute(
                "UPDATE personas SET generation = max(generation, ?) + 1 WHERE name = ?",
                (generation, name),
            )
        connection.execute(
            "INSERT INTO events SELECT max(coalesce(max(sequence), 0), ?) + 1, ?, ?, '', '', ?"
            " FROM events",
            (sequence, micros(datetime.now(UTC)), EventKind.IMAGE_LOADED, _LOADED),
        )
        connection.execute("COMMIT")
    finally:
        connection.close()


_LOADED = "Everything was put back to an image."


def _outstanding(path: Path) -> tuple[int, int, dict[str, int]]:
    connection = sqlite3.connect(path)
    try:
        (token,) = connection.execute("SELECT fencing_token FROM gpu_lease").fetchone()
        (sequence,) = connection.execute("SELECT coalesce(max(sequence), 0) FROM events").fetchone()
        generations = dict(connection.execute("SELECT name, generation FROM personas").fetchall())
        return token, sequence, generations
    finally:
        connection.close()


async def _pieces(pieces: AsyncIterator[ImportPiece]) -> AsyncIterator[Piece]:
    async for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
        else:
            yield Arriving(piece.name, piece.size, bytes.fromhex(piece.sha256))
