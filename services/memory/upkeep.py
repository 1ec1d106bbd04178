"""Background care of the table: compaction, pruning, purging, and its indexes."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import structlog

from services.memory import metrics
from services.memory.library import Library
from services.memory.pending_purges import PendingPurges
from services.memory.writer import Writer
from shared.errors import Aborted

_log = structlog.get_logger()

# Beside a stream of writes it is time once an eighth of the rows are not indexed, or so many
# seconds have passed.
_SHARE, _FEWEST = 8, 256
_LONGEST_SECONDS = 600.0


class Upkeep:
    """Looks every `interval` seconds whether the table needs care.

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
        self._seen = self._cared_for = self._shown = -1  # commits
        self._cared_at = time.monotonic()
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
            if not await self._purged() and self._writer.commits != self._cared_for:
                await self._optimize()

    async def _tick(self) -> None:
        """Like run_once, but beside a stream of writes only where enough of them have come.

        Each compaction writes the newest fragment anew, up to a million rows: after every few
        rows that would be more work than the writing.
        """
        async with self.running:
            await self._show()
            if await self._purged() or self._writer.commits == self._cared_for:
                return
            quiet, self._seen = self._writer.commits == self._seen, self._writer.commits
            if quiet or await self._is_due():
                await self._optimize()

    async def _show(self) -> None:
        """Brings the figures up to date where something was written since."""
        if self._writer.commits != self._shown:
            self._shown = self._writer.commits
            backlog = await self._library.shelf.store.backlog()
            metrics.rows.set(backlog.rows)
            metrics.unindexed_rows.set(backlog.unindexed)

    async def _is_due(self) -> bool:
        if time.monotonic() - self._cared_at > _LONGEST_SECONDS:
            return True
        backlog = await self._library.shelf.store.backlog()
        return backlog.unindexed >= max(_FEWEST, backlog.rows // _SHARE)

    async def _purged(self) -> bool:
        """Whether there was something to purge."""
        mark = await self._purges.last()
        if not mark:
            return False
        # Forgotten rows may be in the table of a migration that broke off, too.
        await self._drop_unfinished()
        if await self._writer.alone(self._library.shelf.store.purge):
            await self._purges.clear(mark)
        self._cared(self._writer.commits)
        return True

    async def _optimize(self) -> None:
        store, commits = self._library.shelf.store, self._writer.commits
        await self._beside_or_alone(store.optimize)
        await self._beside_or_alone(store.tend_indexes)
        self._cared(commits)

    def _cared(self, commits: int) -> None:
        self._cared_for, self._cared_at = commits, time.monotonic()

    async def _beside_or_alone(self, care: Callable[[], Awaitable[None]]) -> None:
        try:
            await care()  # beside the writer
        except Aborted:  # which was faster every time: take its turn
            await self._writer.alone(care)

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self._tick()
            except Exception:  # a failed run must not end the care; the next one tries again
                _log.exception("upkeep failed")
