"""One run at a time, oldest first; what a crash or a restart interrupted is taken up again."""

from __future__ import annotations

import asyncio

import structlog

from services.trainer.pipeline import Pipeline
from services.trainer.sqlite_runs import Also, SqliteRuns
from services.trainer.training_run import TrainingRun, TrainingState

_log = structlog.get_logger()
_POLL_SECONDS = 5.0
_PAUSE_AFTER_BREAKING = 5.0
_CANCELLED = ("CANCELLED", "stopped by its owner")


class Scheduler:
    """Drives open runs until it is stopped."""

    def __init__(self, runs: SqliteRuns, pipeline: Pipeline) -> None:
        self._runs = runs
        self._pipeline = pipeline
        self._wake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._driving: tuple[str, asyncio.Task[None]] | None = None

    def start(self) -> None:
        """Begins with the oldest open run."""
        self._loop = asyncio.create_task(self._drive_all())

    async def stop(self) -> None:
        """Stops where it stands: worker gone, lease given back; the next start goes on."""
        if self._loop:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)

    async def submit(self, run: TrainingRun, also: Also) -> None:
        """Keeps a new run, does `also` in the same transaction; its turn will come."""
        await self._runs.add(run, also)
        self._wake.set()

    async def cancel(self, run_id: str, also: Also) -> TrainingRun:
        """Ends a run; returns once its worker is gone and its lease given back."""
        await self._runs.ask_to_cancel(run_id, also)
        if self._driving and self._driving[0] == run_id:
            task = self._driving[1]
            task.cancel()
            await asyncio.wait({task})
        await self._settle(run_id)
        return await self._runs.get(run_id)

    async def _drive_all(self) -> None:
        while True:
            self._wake.clear()
            run = await self._runs.oldest_open()
            if run is None:
                await self._rest(_POLL_SECONDS)
            else:
                await self._drive(run)

    async def _drive(self, run: TrainingRun) -> None:
        if await self._runs.cancelling(run.id):
            await self._settle(run.id)
            return
        task = asyncio.create_task(self._pipeline.drive(run))
        self._driving = (run.id, task)
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self._driving = None
        if not task.cancelled() and (error := task.exception()):
            _log.error("run cannot be recorded", run=run.name, error=str(error))
            await asyncio.sleep(_PAUSE_AFTER_BREAKING)
        if await self._runs.cancelling(run.id):
            await self._settle(run.id)

    async def _settle(self, run_id: str) -> None:
        await self._pipeline.end(run_id, TrainingState.CANCELLED, *_CANCELLED)

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return
