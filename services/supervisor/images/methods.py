"""What the Supervisor's RPCs about images do."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TypeVar

import structlog

from services.supervisor import sqlite_events
from services.supervisor.events import EventKind, Happening
from services.supervisor.gpu_lease import ServingState
from services.supervisor.images import archive
from services.supervisor.images.loading import Loaded, Loader, Receipt, Wish
from services.supervisor.images.manifest import Manifest
from services.supervisor.images.parts import RemotePart
from services.supervisor.images.saving import Order, Progress, Saver, Tell
from services.supervisor.images.store import COLLECTION, ImageStore
from services.supervisor.sqlite_journal import Journal
from services.supervisor.telling import told
from shared.errors import FailedPrecondition, InvalidArgument

NOTE_CHARACTERS = 1000
_PAUSE_SECONDS = 0.1  # between two words on the same thing

_log = structlog.get_logger()

T = TypeVar("T")
SaveReceipt = Callable[[sqlite3.Connection, Manifest], None]


class Images:
    """Saves, loads, lists and removes images; one save or load at a time."""

    def __init__(
        self,
        *,
        store: ImageStore,
        saver: Saver,
        loader: Loader,
        others: Sequence[RemotePart],
        journal: Journal,
        serving: Callable[[], ServingState],
    ) -> None:
        self.store = store
        self._saver = saver
        self._loader = loader
        self._others = others
        self._journal = journal
        self._serving = serving
        self._busy = ""

    async def open(self) -> None:
        """Clears up after a crash: cuts that services still hold, images deleted in name only."""
        self._releasing = asyncio.create_task(self._clear_up())
        for image_id in await self._journal.read(_deleted):
            await asyncio.to_thread(self.store.discard, image_id)

    async def close(self) -> None:
        """Ends what `open` began."""
        self._releasing.cancel()
        await asyncio.wait({self._releasing})

    async def _clear_up(self) -> None:
        await self._saver.release("")
        await self.tell_parts()

    async def tell_parts(self) -> None:
        """Tells the other services which images there are, as far as they can be asked.

        One that hears of it late names an image that is gone, never none that is there.
        """
        images = [image for image, _ in await asyncio.to_thread(self.store.all)]
        results = await asyncio.gather(
            *(part.retain(images) for part in self._others), return_exceptions=True
        )
        for failure in filter(lambda result: isinstance(result, Exception), results):
            _log.warning("a service was not told of the images", error=str(failure))

    async def save(self, order: Order, tell: Tell, receipt: SaveReceipt) -> Manifest:
        """Makes an image and tells the journal of it; see `Saver.save`.

        One that the same request made before a crash is taken for what was asked.
        """
        if len(order.note) > NOTE_CHARACTERS:
            raise InvalidArgument.of_field("note", f"must be at most {NOTE_CHARACTERS} characters")
        async with self._alone("saved"):
            manifest = await asyncio.to_thread(self.store.made_for, order.request_id)
            try:
                manifest = manifest or await self._saver.save(order, tell)
            finally:
                await self.tell_parts()
        name = f"{COLLECTION}/{manifest.image}"
        happening = Happening(EventKind.IMAGE_SAVED, "", name, f"{name} was saved.")

        def write(connection: sqlite3.Connection) -> None:
            sqlite_events.append(connection, happening)
            receipt(connection, manifest)

        await self._journal.write(write)
        return manifest

    async def load(self, wish: Wish, tell: Tell, receipt: Receipt) -> Loaded:
        """Puts everything back to an image; see `Loader.load`."""
        async with self._alone("loaded"):
            return await self._loader.load(wish, self._serving, tell, receipt)

    async def verify(self, image_id: str) -> Manifest:
        """Reads a whole image; DataLoss names the part that is damaged."""
        path = self.store.path(image_id)
        return await asyncio.to_thread(archive.verify, path, lambda _: None)

    async def delete(self, image_id: str, receipt: Callable[[sqlite3.Connection], None]) -> None:
        """Removes an image, in the journal first; NotFound."""
        await asyncio.to_thread(self.store.path, image_id)
        name = f"{COLLECTION}/{image_id}"
        happening = Happening(EventKind.IMAGE_DELETED, "", name, f"{name} was removed.")

        def write(connection: sqlite3.Connection) -> None:
            sqlite_events.append(connection, happening)
            receipt(connection)

        await self._journal.write(write)
        await asyncio.to_thread(self.store.discard, image_id)
        await self.tell_parts()

    async def save_by_clock(self, image_id: str) -> None:
        """Makes an image that nobody waits for."""
        await self.save(Order(image_id), lambda _: None, lambda _, __: None)

    async def note_failure(self, why: str) -> None:
        """Tells that a scheduled image could not be made."""
        happening = Happening(EventKind.IMAGE_FAILED, message=why)
        await self._journal.write(lambda c: sqlite_events.append(c, happening))

    @asynccontextmanager
    async def _alone(self, what: str) -> AsyncGenerator[None, None]:
        if self._busy:
            raise FailedPrecondition(
                f"an image is being {self._busy}; wait for its end", reason="IMAGE_IN_PROGRESS"
            )
        self._busy = what
        try:
            yield
        finally:
            self._busy = ""


def order_of(request_id: str, note: str) -> Order:
    """What a request asks for."""
    return Order(f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{request_id[:8]}", request_id, note)


def _deleted(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute(
        "SELECT subject FROM events WHERE kind = ?", (EventKind.IMAGE_DELETED,)
    )
    return [row["subject"].removeprefix(f"{COLLECTION}/") for row in rows]


def followed(work: Callable[[Tell], Awaitable[T]]) -> AsyncGenerator[Progress | T, None]:
    """What some work tells as it goes on, thinned out to what anybody can read, and its result."""
    latest: dict[tuple[str, str], float] = {}

    async def run(tell: Callable[[Progress | T], None]) -> None:
        def tell_some(progress: Progress) -> None:
            key, now = (progress.phase, progress.service), time.monotonic()
            if progress.done == progress.total or now - latest.get(key, 0) >= _PAUSE_SECONDS:
                latest[key] = now
                tell(progress)

        tell(await work(tell_some))

    return told(run)
