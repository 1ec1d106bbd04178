"""Loading: everything is checked and put beside what is in use, then all services switch."""

import asyncio
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.supervisor.gpu_lease import ServingState
from services.supervisor.images import archive, pending
from services.supervisor.images.manifest import ImageModel, Manifest
from services.supervisor.images.own_part import OwnPart
from services.supervisor.images.parts import ImagePart, ImportPiece, RemotePart
from services.supervisor.images.saving import Order, Progress, Saver, Tell
from services.supervisor.images.store import ImageStore, size_of
from shared import process
from shared.errors import BatosError, FailedPrecondition
from shared.image.cutting import LONGEST_SECONDS


class Models(Protocol):
    """The model backend."""

    async def digest(self, tag: str) -> str:
        """The digest that the backend lists for a tag; "" where it lacks the tag."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was loaded; `previous` is the id of the image of what there was before, or ""."""

    manifest: Manifest
    previous: str
    missing: tuple[ImageModel, ...]


Receipt = Callable[[sqlite3.Connection, Loaded], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """Which image to load, and whether what there is now is to be given up unsaved."""

    image_id: str
    discard_current: bool


class Loader:
    """Loads images. Up to the last step nothing that is in use is touched."""

    def __init__(
        self,
        store: ImageStore,
        saver: Saver,
        own: OwnPart,
        others: Sequence[RemotePart],
        models: Models,
    ) -> None:
        self._store = store
        self._saver = saver
        self._own = own
        self._others = others
        self._models = models

    async def load(
        self, wish: Wish, state: Callable[[], ServingState], tell: Tell, receipt: Receipt
    ) -> Loaded:
        """Returns once every other service serves the image; ours follows as `start_anew` has it.

        DataLoss where the image is damaged, FailedPrecondition where the GPU is lent, and what the
        parts raise: everything is as it was then. `receipt` is written into the image's journal.
        """
        path = self._store.path(wish.image_id)
        manifest = await self._verified(path, tell)
        if state() is not ServingState.SERVING:
            raise FailedPrecondition(
                "a training run holds the GPU; cancel it or wait for its end", reason="GPU_LEASED"
            )
        await asyncio.gather(*(part.state() for part in self._others))
        key = f"load-{uuid.uuid4().hex}"
        before = f"before-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{key[-8:]}"
        decided = False
        try:
            made = await self._import(path, manifest, key, tell)
            missing = await self._missing(manifest, made)
            if wish.discard_current:
                await self._saver.freeze(before, LONGEST_SECONDS)
            else:
                note = f"what there was before {wish.image_id} was loaded"
                await self._saver.save(Order(before, note=note), tell, stay_frozen=True)
            loaded = Loaded(manifest, "" if wish.discard_current else before, missing)
            await asyncio.to_thread(_finish_journal, self._own.staged(key), made, loaded, receipt)
            await asyncio.to_thread(pending.remember, self._own.data_dir, key)
            decided = True
        finally:
            if not decided:
                await self._saver.release(before)
                await self._saver.release(key)
        tell(Progress("switching"))
        try:
            await pending.switched(self._others, key)
        finally:
            process.start_anew()  # which finishes the load, also where a part is not there yet
        return loaded

    async def _verified(self, path: Path, tell: Tell) -> Manifest:
        size = await asyncio.to_thread(size_of, path)
        loop = asyncio.get_running_loop()

        def told(done: int) -> None:
            loop.call_soon_threadsafe(tell, Progress("verifying", "", done, size))

        return await asyncio.to_thread(archive.verify, path, told)

    async def _import(
        self, path: Path, manifest: Manifest, key: str, tell: Tell
    ) -> Mapping[str, str]:
        """Digests of the models that were made anew, by tag."""
        parts: Sequence[ImagePart] = (*self._others, self._own)
        known = {part.service: part for part in parts}
        if strangers := manifest.schemas.keys() ^ known.keys():
            raise FailedPrecondition(
                f"image and system differ in their services: {', '.join(sorted(strangers))}",
                reason="SERVICES_DIFFER",
            )
        made: dict[str, str] = {}
        done, total = 0, sum(file.size for file in manifest.files)
        for service, part in known.items():
            files = manifest.of(service)
            models = await part.take(key, _pieces(path, service))
            made |= {model.tag: model.digest for model in models}
            done += sum(file.size for file in files)
            tell(Progress("importing", service, done, total))
        return made

    async def _missing(self, manifest: Manifest, made: Mapping[str, str]) -> tuple[ImageModel, ...]:
        missing = []
        for model in manifest.models:
            try:
                there = model.tag in made or bool(await self._models.digest(model.tag))
            except BatosError:  # a backend that is away has none, as far as anybody can tell
                there = False
            if not there:
                missing.append(model)
        return tuple(missing)


async def _pieces(path: Path, service: str) -> AsyncIterator[ImportPiece]:
    pieces = archive.contents(path, lambda _: None, service)
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece


def _finish_journal(
    journal: Path, made: Mapping[str, str], loaded: Loaded, receipt: Receipt
) -> None:
    """Gives the taken journal the digests of models that were made anew, and this load's answer."""
    connection = sqlite3.connect(journal, isolation_level=None)
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("BEGIN IMMEDIATE")
        for tag, digest in made.items():
            connection.execute("UPDATE personas SET digest = ? WHERE tag = ?", (digest, tag))
            connection.execute(
                "UPDATE personas SET previous_digest = ? WHERE previous_tag = ?", (digest, tag)
            )
        receipt(connection, loaded)
        connection.execute("COMMIT")
    finally:
        connection.close()
