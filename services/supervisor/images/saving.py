"""Saving: all services are held for a moment, let go, and exported at leisure."""

import asyncio
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from services.supervisor.images.archive import ArchiveWriter
from services.supervisor.images.manifest import FORMAT, ImageFile, ImageModel, Manifest
from services.supervisor.images.parts import ImagePart
from services.supervisor.images.store import ImageStore
from services.supervisor.persona import Persona
from shared.errors import ResourceExhausted
from shared.image.cutting import LONGEST_SECONDS

_FREEZE_SECONDS = 60.0
_SPARE_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is; `total` is 0 where that is not known."""

    phase: str
    service: str = ""
    done: int = 0
    total: int = 0


Tell = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Order:
    """The id that an image is to have, who asked for it ("" nobody), and what to remember of it."""

    image_id: str
    request_id: str = ""
    note: str = ""


class Personas(Protocol):
    """Where personas are kept."""

    async def all(self) -> list[Persona]:
        """All personas with their pointers."""


class Saver:
    """Makes images. Of `parts` the first is frozen first: its upkeep may have to end before."""

    def __init__(self, store: ImageStore, parts: Sequence[ImagePart], personas: Personas) -> None:
        self._store = store
        self._parts = parts
        self._personas = personas

    async def save(self, order: Order, tell: Tell, *, stay_frozen: bool = False) -> Manifest:
        """Returns once the image is on the disk under its name.

        With `stay_frozen` all parts stay held, for ten minutes at most, until `release`. Raises
        FailedPrecondition (THAWED_EARLY) where a part went on too soon, ResourceExhausted
        (DISK_FULL), and what the parts raise; nothing is left of an image then.
        """
        image_id, done = order.image_id, False
        try:
            manifest = await self._saved(order, tell, stay_frozen)
            done = True
            return manifest
        finally:
            if not (done and stay_frozen):
                await self.release(image_id)
            if not done:
                await asyncio.to_thread(self._store.partial(image_id).unlink, True)

    async def freeze(self, image_id: str, ttl: float, tags: Sequence[str] = ()) -> int:
        """Holds all parts; the bytes that they have, about, with the models of these tags."""
        first, *others = self._parts
        size = await first.freeze(image_id, ttl, tags)
        sizes = await asyncio.gather(*(part.freeze(image_id, ttl, tags) for part in others))
        return size + sum(sizes)

    async def release(self, image_id: str) -> None:
        """Lets go of all parts, as far as they can be asked."""
        await asyncio.gather(
            *(part.discard(image_id) for part in self._parts), return_exceptions=True
        )

    async def _saved(self, order: Order, tell: Tell, stay_frozen: bool) -> Manifest:
        tell(Progress("freezing"))
        image_id = order.image_id
        models = await self._models()
        states = await asyncio.gather(*(part.state() for part in self._parts))
        ttl = LONGEST_SECONDS if stay_frozen else _FREEZE_SECONDS
        began, created = time.monotonic(), datetime.now(UTC)
        total = await self.freeze(image_id, ttl, [model.tag for model in models])
        if not stay_frozen:
            await asyncio.gather(*(part.thaw(image_id) for part in self._parts))
        freeze_ms = (time.monotonic() - began) * 1000
        self._check_space(total)
        writer = await asyncio.to_thread(ArchiveWriter, self._store.partial(image_id))
        try:
            await self._export(image_id, writer, total, tell)
            manifest = Manifest(
                format=FORMAT,
                image=image_id,
                request_id=order.request_id,
                note=order.note,
                created_at=created.isoformat(),
                freeze_ms=round(freeze_ms, 1),
                schemas={p.service: s for p, (_, s) in zip(self._parts, states, strict=True)},
                models=[_with_files(model, writer.files) for model in models],
                files=writer.files,
            )
            await asyncio.to_thread(writer.seal, manifest)
        finally:
            writer.close()
        await asyncio.to_thread(self._store.keep, image_id)
        return manifest

    async def _export(self, image_id: str, writer: ArchiveWriter, total: int, tell: Tell) -> None:
        sent = 0
        for part in self._parts:
            async for piece in part.export(image_id):
                if isinstance(piece, bytes):
                    await asyncio.to_thread(writer.add, piece)
                    sent += len(piece)
                    tell(Progress("saving", part.service, sent, max(total, sent)))
                else:
                    await asyncio.to_thread(writer.begin, part.service, *piece)
            await asyncio.to_thread(writer.end)

    async def _models(self) -> list[ImageModel]:
        pointers = {
            (pointer.tag, pointer.digest)
            for persona in await self._personas.all()
            for pointer in (persona.model, persona.previous)
            if pointer is not None
        }
        return [ImageModel(tag=tag, digest=d, included=False) for tag, d in sorted(pointers)]

    def _check_space(self, total: int) -> None:
        free = shutil.disk_usage(self._store.folder).free
        if free < total + _SPARE_BYTES:
            raise ResourceExhausted(
                f"the image takes about {total >> 20} MiB, and {free >> 20} are free in "
                f"{self._store.folder}; delete images, or set BATOS_SUPERVISOR_IMAGES_DIR",
                reason="DISK_FULL",
            )


def _with_files(model: ImageModel, files: Sequence[ImageFile]) -> ImageModel:
    """The model, and whether the Trainer gave the files from which it can be made anew."""
    _, mark, run = model.tag.rpartition(":run-")
    there = bool(mark) and any(file.name.startswith(f"models/{run}/") for file in files)
    return model.model_copy(update={"included": there})
