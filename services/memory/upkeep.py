"""Background care of the table: compaction, pruning, purging, and its indexes."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from services.memory.library import Library
from services.memory.pending_purges import PendingPurges
from services.memory.writer import Writer
from shared.errors import Aborted

_log = structlog.get_logger()


class Upkeep:
    """Looks after the table every `interval` seconds, if anything was written since.

    Whoever holds `running` has the table to himself and the writer.
    """

    def __init__(
        self,
        library: Library,
        writer: Writer,
        purges: PendingPurges,
        drop_unfinished: Callable[[], Awaitable[None]],
        interval: float,
    ) -> None:
        self._library = library
        self._writer = writer
        self._purges = purges
        self._drop_unfinished = drop_unfinished
        self._interval = interval
        self._seen = -1
        self.running = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to work."""
        self._task = asyncio.create_task(self._work(), name="memory-upkeep")

    async def close(self) -> None:
        """Stops; a run under way is given up, which leaves the table as it was."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def run_once(self) -> None:
        """Purges what was forgotten, or else optimizes if something was written; then the indexes.

        Waits for a run that is under way. Raises Aborted where others were in the way each time.
        """
        async with self.running:
            store = self._library.shelf.store
            mark = await self._purges.last()
            if mark:
                # Forgotten rows may be in the table of a migration that broke off, too.
                await self._drop_unfinished()
                if await self._writer.alone(store.purge):
                    await self._purges.clear(mark)
                self._seen = self._writer.commits
            elif self._writer.commits != self._seen:
                self._seen = self._writer.commits
                await self._beside_or_alone(store.optimize)
            await self._beside_or_alone(store.tend_indexes)

    async def _beside_or_alone(self, care: Callable[[], Awaitable[None]]) -> None:
        try:
            await care()  # beside the writer
        except Aborted:  # which was faster every time: take its turn
            await self._writer.alone(care)

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self.run_once()
            except Exception:  # a failed run must not end the care; the next one tries again
                _log.exception("upkeep failed")
