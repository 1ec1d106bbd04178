"""SWAPPING: the Supervisor is asked to move the pointer, and asked again where it is unclear."""

from __future__ import annotations

import uuid
from dataclasses import replace

from services.trainer.arbiter import PersonaCard, Swap
from services.trainer.parts import Parts
from services.trainer.patience import patiently
from services.trainer.training_run import TrainingRun, TrainingState
from shared.errors import BatosError, FailedPrecondition


class SwapStage:
    """Takes a run from SWAPPING to SUCCEEDED or REJECTED."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self, run: TrainingRun, token: int) -> TrainingRun:
        """Reports the swap unless it was made before a crash; raises where it cannot be."""
        persona = await self._persona(run)
        if persona.model_tag != run.model:
            try:
                persona = await self._report(run, token)
            except FailedPrecondition as error:
                if error.reason != "SWAP_REFUSED":
                    raise
                ended = run.ended_as(TrainingState.REJECTED, error.reason, error.message)
                return await self._parts.runs.save(ended, error.message)
        run = replace(run.moved_to(TrainingState.SUCCEEDED), generation=persona.generation)
        return await self._parts.runs.save(run, f"{run.persona} speaks with {run.model}")

    async def _report(self, run: TrainingRun, token: int) -> PersonaCard:
        scores = await self._parts.runs.scores(run.id)
        swap = Swap(token, run.persona, run.model, run.model_digest, run.name, scores)
        request_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"batos/{run.name}/swap/{token}"))

        async def report() -> PersonaCard:
            return await self._parts.arbiter.report_swap(request_id, swap)

        try:
            return await patiently(report, self._parts.settings.peer_wait_seconds)
        except BatosError:
            persona = await self._persona(run)  # the answer may be lost and the swap made
            if persona.model_tag != run.model:
                raise
            return persona

    async def _persona(self, run: TrainingRun) -> PersonaCard:
        return await patiently(
            lambda: self._parts.arbiter.persona(run.persona),
            self._parts.settings.peer_wait_seconds,
        )
