"""One training run, driven from the state in which it is found to an end."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Coroutine
from dataclasses import replace
from typing import Any

import structlog

from services.trainer.arbiter import Lease, PersonaCard
from services.trainer.bases import Base
from services.trainer.disk_quota import DiskQuota
from services.trainer.evaluation_stage import EvaluationStage
from services.trainer.golden_dataset import build_dataset
from services.trainer.lease import HeldLease, claim, kept
from services.trainer.old_models import OldModels
from services.trainer.parts import Parts
from services.trainer.patience import patiently
from services.trainer.swap_stage import SwapStage
from services.trainer.training_process import TrainingProcess
from services.trainer.training_run import TrainingRun, TrainingState
from services.trainer.training_stage import TrainingStage
from shared.errors import BatosError, FailedPrecondition

_log = structlog.get_logger()
_EXPECTED_SECONDS = 300.0  # told to those who wait for the GPU
_MOST_STALE_CLAIMS = 3
_MOST_TAKES = 10


class Pipeline:
    """PREPARING → WAITING_FOR_GPU → TRAINING → EXPORTING → EVALUATING → SWAPPING → an end."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._ending = asyncio.Lock()  # two who end a run at once must not both write its end

    async def drive(self, run: TrainingRun) -> None:
        """Ends the run one way or another; only cancelling leaves it where it stands."""
        try:
            await self._drive(await self._taken_up(run))
        except BatosError as error:
            await self.end(run.id, TrainingState.FAILED, error.reason, error.message)
        except Exception as error:
            _log.exception("run broke", run=run.name)
            words = f"a defect of the Trainer: {type(error).__name__}: {error}"
            await self.end(run.id, TrainingState.FAILED, "INTERNAL", words)
        ended = await self._parts.runs.get(run.id)
        await self._clear(ended)
        if ended.state is TrainingState.SUCCEEDED:
            await self._old_models().collect(ended.persona)

    def _old_models(self) -> OldModels:
        parts = self._parts
        kept = parts.settings.keep_models
        return OldModels(parts.arbiter, parts.backend, parts.runs, kept, parts.models)

    async def _taken_up(self, run: TrainingRun) -> TrainingRun:
        """A run that brings the service down each time must not do so for ever."""
        if run.takes >= _MOST_TAKES:
            raise FailedPrecondition(
                f"it was interrupted {run.takes} times", reason="INTERRUPTED_TOO_OFTEN"
            )
        words = "taken up again where it stands" if run.takes else "taken up"
        return await self._parts.runs.save(replace(run, takes=run.takes + 1), words)

    async def end(self, run_id: str, state: TrainingState, reason: str, failure: str) -> None:
        """Ends a run that is still open as FAILED or CANCELLED, and clears up after it."""
        async with self._ending:
            run = await self._parts.runs.get(run_id)
            if not run.state.ended:
                run = await self._parts.runs.save(run.ended_as(state, reason, failure), failure)
        await self._clear(run)

    async def _clear(self, run: TrainingRun) -> None:
        """Frees the disk; a model that nobody will speak with goes from the backend too.

        The files of one that somebody speaks with stay: images carry them.
        """
        if run.state is TrainingState.SUCCEEDED:
            await self._parts.directory(run.id).keep_model(self._parts.models / run.id)
        await self._parts.directory(run.id).drop_models()
        if run.model and run.state is not TrainingState.SUCCEEDED:
            try:
                await self._parts.backend.delete(run.model)
            except BatosError as error:
                _log.warning("model left behind", model=run.model, reason=error.reason)

    async def _drive(self, run: TrainingRun) -> None:
        settings = self._parts.settings
        persona = await patiently(
            lambda: self._parts.arbiter.persona(run.persona), settings.peer_wait_seconds
        )
        base = self._parts.catalogue.base(run.base)
        await asyncio.to_thread(base.check)
        await DiskQuota(settings.data_dir, settings.disk_quota_bytes, self._parts.runs).make_room(
            run.dataset
        )
        await self._parts.directory(run.id).make()
        async with self._worker(run, base) as worker:
            run = await self._prepared(run)
            if worker is not None:  # nobody shall wait for a GPU that an import keeps idle
                await worker.ready()
            run, lease, since = await self._claimed(run)

            def alive() -> bool:
                return worker is None or worker.heard_within(settings.heartbeat_seconds)

            async with kept(
                self._parts.arbiter, lease, since, margin=settings.lease_margin_seconds, alive=alive
            ) as held:
                run = await self._begun(run, held)
                await _while_held(held, self._under_lease(run, base, persona, worker, held))

    @contextlib.asynccontextmanager
    async def _worker(self, run: TrainingRun, base: Base) -> AsyncIterator[TrainingProcess | None]:
        """A worker that imports its engine while the rest is made ready; None where not needed."""
        directory = self._parts.directory(run.id)
        early = {TrainingState.EVALUATING, TrainingState.SWAPPING}
        if run.state in early or directory.merged.is_dir():
            yield None
            return
        offline = {} if base.on_hub else {"HF_HUB_OFFLINE": "1"}
        async with TrainingProcess.started(run.engine, directory.log, offline) as worker:
            yield worker

    async def _prepared(self, run: TrainingRun) -> TrainingRun:
        if run.state is TrainingState.QUEUED:
            run = await self._parts.runs.save(
                run.moved_to(TrainingState.PREPARING), "collecting golden examples"
            )
        if run.state is not TrainingState.PREPARING:
            return run
        if not run.dataset:
            examples = await patiently(
                lambda: self._parts.source.examples(run.persona),
                self._parts.settings.peer_wait_seconds,
            )
            dataset = await asyncio.to_thread(build_dataset, run.persona, examples)
            run = replace(run, dataset=(await self._parts.datasets.put(dataset)).name)
        card = await self._parts.datasets.card(run.dataset.removeprefix("datasets/"))
        if not card.train_count:
            raise FailedPrecondition(f"{card.name} has no rows to learn from", reason="NO_ROWS")
        words = f"{card.train_count} rows to learn from, {card.heldout_count} to be judged by"
        return await self._parts.runs.save(run.moved_to(TrainingState.WAITING_FOR_GPU), words)

    async def _claimed(self, run: TrainingRun) -> tuple[TrainingRun, Lease, float]:
        """The lease that this run held before a crash where it still lives, else a fresh one."""
        settings, stale = self._parts.settings, None
        for _ in range(_MOST_STALE_CLAIMS):
            epoch = f"batos/{run.name}/lease/{run.lease_epoch}"
            try:
                lease, since = await claim(
                    self._parts.arbiter,
                    str(uuid.uuid5(uuid.NAMESPACE_URL, epoch)),
                    run.name,
                    ttl=settings.lease_ttl_seconds,
                    wait=settings.lease_wait_seconds,
                    expected=_EXPECTED_SECONDS,
                )
            except FailedPrecondition as error:
                stale = error
                run = await self._parts.runs.save(replace(run, lease_epoch=run.lease_epoch + 1))
            else:
                return run, lease, since
        assert stale is not None, "the loop ends early only by returning"
        raise stale

    async def _begun(self, run: TrainingRun, held: HeldLease) -> TrainingRun:
        if run.state is TrainingState.WAITING_FOR_GPU:
            run = run.moved_to(TrainingState.TRAINING)
        words = f"the GPU lease is held, fencing token {held.token}"
        return await self._parts.runs.save(run, words)

    async def _under_lease(
        self,
        run: TrainingRun,
        base: Base,
        persona: PersonaCard,
        worker: TrainingProcess | None,
        held: HeldLease,
    ) -> None:
        if worker is not None:
            run = await TrainingStage(self._parts).run(run, base, persona, worker)
        if run.state is TrainingState.TRAINING:  # a crash came between the merge and its record
            run = await self._parts.runs.save(run.moved_to(TrainingState.EXPORTING))
        if run.state is TrainingState.EXPORTING:
            run = await self._exported(run, base)
        if run.state is TrainingState.EVALUATING:
            run = await EvaluationStage(self._parts).run(run, base, persona)
        if run.state is TrainingState.SWAPPING:
            await _uninterrupted(SwapStage(self._parts).run(run, held.token))

    async def _exported(self, run: TrainingRun, base: Base) -> TrainingRun:
        parts, directory = self._parts, self._parts.directory(run.id)
        await directory.drop_checkpoints()
        tag = f"{run.persona.lower()}:run-{run.id}"
        run = await parts.runs.save(replace(run, model=tag), f"making {tag}")

        async def made() -> str:
            known = await parts.backend.digest(tag)  # made before a crash: tags never change
            return known or await parts.backend.create(
                tag, directory.merged, base.template, base.tag
            )

        digest = await patiently(made, parts.settings.peer_wait_seconds)
        run = replace(run, model_digest=digest).moved_to(TrainingState.EVALUATING)
        return await parts.runs.save(run, f"{tag} is made")


async def _while_held(held: HeldLease, work: Coroutine[Any, Any, None]) -> None:
    """The work, stopped as soon as the lease is lost: FailedPrecondition (LEASE_LOST)."""
    task = asyncio.create_task(work)
    lost = asyncio.create_task(held.lost.wait())
    try:
        await asyncio.wait({task, lost}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise FailedPrecondition("the GPU lease was lost", reason="LEASE_LOST")
    finally:
        lost.cancel()
        task.cancel()
        await asyncio.gather(task, lost, return_exceptions=True)


async def _uninterrupted(work: Coroutine[Any, Any, Any]) -> None:
    """Goes on to the end though cancelled: half a swap would be nobody's truth."""
    task = asyncio.create_task(work)
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    task.result()
