"""Moves all records to another embedder while the service goes on.

A second table is filled beside the one in use, by passes: each copies what is missing there or
was changed since, and removes what was forgotten. The last, small one runs in the writer's turn,
and the switch with it. The second table itself is the progress: after a crash the passes go on.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import structlog

from services.memory.current_table import CurrentTable, name_for
from services.memory.embedders import check_name
from services.memory.library import Library, Shelf
from services.memory.shelves import Shelves
from services.memory.store import Store
from services.memory.upkeep import Upkeep
from services.memory.writer import Writer
from shared.errors import Aborted
from shared.uninterrupted import uninterrupted

_log = structlog.get_logger()

_CHUNK = 1_000  # rows copied at once; each chunk is synced
_CHUNKS_BETWEEN_CARE = 50
_PASSES = 10
_SMALL = 1_000  # so few rows are copied in the writer's turn
_TELL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Progress:
    """Rows that are in the second table, of all rows; `embedder` is who makes the new vectors."""

    done: int = 0
    total: int = 0
    embedder: str = ""
    finished: bool = False


class Reembedder:
    """Runs one migration at a time. It goes on where its caller hangs up."""

    def __init__(
        self,
        library: Library,
        shelves: Shelves,
        current: CurrentTable,
        writer: Writer,
        upkeep: Upkeep,
    ) -> None:
        self._library = library
        self._shelves = shelves
        self._current = current
        self._writer = writer
        self._upkeep = upkeep
        self._wanted = ""
        self._progress = Progress()
        self._task: asyncio.Task[None] | None = None

    async def run(self, embedder: str) -> AsyncIterator[Progress]:
        """Starts a migration, or joins the one that runs, and tells of it until it is finished.

        Raises InvalidArgument for an unknown embedder, Aborted (REEMBED_RUNNING) while another
        migration runs, and what OllamaEmbedder raises.
        """
        check_name(embedder)
        if self._task is None or self._task.done():
            self._wanted, self._progress = embedder, Progress()
            self._task = asyncio.create_task(self._migrate(embedder), name="memory-reembed")
        elif embedder != self._wanted:
            raise Aborted(f"moving to {self._wanted} is under way", reason="REEMBED_RUNNING")
        task = self._task
        while not (await asyncio.wait({task}, timeout=_TELL_SECONDS))[0]:
            yield self._progress
        await task
        yield self._progress

    async def close(self) -> None:
        """Stops; what was copied stays for the next time."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._task

    async def _migrate(self, embedder: str) -> None:
        # Without upkeep: a purge would have to reach both tables.
        async with self._upkeep.running:
            made = await self._shelves.embedder(embedder)
            if made.identity == self._library.shelf.store.identity:
                await made.close()
                self._progress = Progress(embedder=made.identity.name, finished=True)
                return
            table = name_for(made.identity, await self._current.name())
            shelf = await self._shelves.shelf(table, made)
            old = self._library.shelf
            try:
                await self._fill(shelf)
                await uninterrupted(self._writer.alone(lambda: self._switch(shelf, table)))
            finally:
                if self._library.shelf is not shelf:
                    await shelf.close()
            await self._library.retire(old)
            await self._shelves.drop_others(table)
            self._progress = Progress(
                self._progress.total, self._progress.total, made.identity.name, finished=True
            )

    async def _fill(self, shelf: Shelf) -> None:
        """Passes, until little is left for the last one."""
        for _ in range(_PASSES):
            if await self._pass(shelf) <= _SMALL:
                break
        await shelf.store.optimize()
        await shelf.store.tend_indexes()

    async def _switch(self, shelf: Shelf, table: str) -> None:
        await self._pass(shelf)
        await self._current.switch(table)
        self._library.shelf = shelf
        _log.info("reembedded", embedder=shelf.store.identity.name, rows=self._progress.total)

    async def _pass(self, shelf: Shelf) -> int:
        """Makes the second table like the first; returns how many rows that took."""
        store = self._library.shelf.store
        before, after = await store.fingerprints(), await shelf.store.fingerprints()
        missing = [row_id for row_id, print_ in before.items() if after.get(row_id) != print_]
        outdated = [row_id for row_id, print_ in after.items() if before.get(row_id) != print_]
        total = len(before)
        name = shelf.store.identity.name
        self._progress = Progress(total - len(missing), total, name)
        for first in range(0, len(outdated), _CHUNK):
            await shelf.store.discard(outdated[first : first + _CHUNK])
        for number, first in enumerate(range(0, len(missing), _CHUNK), start=1):
            await _copy(store, shelf, missing[first : first + _CHUNK])
            done = total - len(missing) + min(first + _CHUNK, len(missing))
            self._progress = Progress(done, total, name)
            if number % _CHUNKS_BETWEEN_CARE == 0:
                await shelf.store.optimize()
        return len(missing) + len(outdated)


async def _copy(store: Store, shelf: Shelf, ids: list[str]) -> None:
    records = list((await store.fetch(ids)).values())
    vectors = await shelf.embedder.embed([record.text for record in records])
    await shelf.store.append(records, vectors)
