"""TRAINING and the merge: a worker is given the job, listened to and ended."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from services.trainer.arbiter import PersonaCard
from services.trainer.bases import Base
from services.trainer.parts import Parts
from services.trainer.progress import Progress
from services.trainer.template_parity import probe
from services.trainer.training_job import TrainingJob
from services.trainer.training_process import Phase, TrainingProcess
from services.trainer.training_run import TrainingRun, TrainingState
from shared.errors import DeadlineExceeded

_EVENT_SECONDS = 0.5  # each event is synced to disk, so they come no closer together


class TrainingStage:
    """Takes a run from TRAINING to EXPORTING with a merged model on disk."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._last_event = 0.0

    async def run(
        self, run: TrainingRun, base: Base, persona: PersonaCard, worker: TrainingProcess
    ) -> TrainingRun:
        """Trains; raises DeadlineExceeded (WORKER_STALLED), or why the worker gave up or died."""
        job = await self._job(run, base, persona)
        patience = self._parts.settings.stall_seconds
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(patience) as stall:
                async for report in worker.train(job):
                    stall.reschedule(loop.time() + patience)
                    run = await self._seen(run, report)
        except TimeoutError:
            raise DeadlineExceeded(
                f"the training made no step for {patience:g} s", reason="WORKER_STALLED"
            ) from None
        finally:
            await worker.stop()
        return run

    async def _job(self, run: TrainingRun, base: Base, persona: PersonaCard) -> TrainingJob:
        train_file = await self._parts.datasets.train_file(run.dataset.removeprefix("datasets/"))
        return TrainingJob(
            base=base.model,
            gguf_file=base.gguf_file,
            train_file=str(train_file),
            rehearsal_file=str(base.rehearsal) if base.rehearsal else None,
            directory=str(self._parts.directory(run.id).path),
            hyperparameters=run.hyperparameters,
            probe=probe(persona.system_prompt),
            export=self._parts.settings.export,
        )

    async def _seen(self, run: TrainingRun, report: Progress | Phase) -> TrainingRun:
        if isinstance(report, Phase):
            return await self._phase(run, report)
        run = replace(run, progress=report)
        now = time.monotonic()
        if now - self._last_event < _EVENT_SECONDS and report.step < report.max_steps:
            return run
        self._last_event = now
        words = f"step {report.step} of {report.max_steps}, loss {report.loss:.3f}"
        return await self._parts.runs.save(run, words)

    async def _phase(self, run: TrainingRun, phase: Phase) -> TrainingRun:
        if phase.name == "exporting" and run.state is TrainingState.TRAINING:
            return await self._parts.runs.save(
                run.moved_to(TrainingState.EXPORTING), "merging the adapter into its base"
            )
        return await self._parts.runs.save(run, f"the worker is {phase.name}")
