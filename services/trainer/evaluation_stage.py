"""EVALUATING: parity first, then both models on the same examples, then the verdict."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from services.trainer.arbiter import PairedScores, PersonaCard
from services.trainer.bases import Base
from services.trainer.evaluation import Report
from services.trainer.gate import verdict
from services.trainer.parts import Parts
from services.trainer.template_parity import measure
from services.trainer.training_run import TrainingRun, TrainingState

_EVENT_SECONDS = 1.0


class EvaluationStage:
    """Takes a run from EVALUATING to SWAPPING or REJECTED."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self, run: TrainingRun, base: Base, persona: PersonaCard) -> TrainingRun:
        """Measures and judges; the first failed call of a peer ends it."""
        scores = await self._scores(run, base, persona)
        figures, judgement = await asyncio.to_thread(
            verdict, scores, self._parts.settings.promotion_policy
        )
        run = replace(run, figures=figures)
        words = (
            f"held-out {figures.heldout_before:.0%} → {figures.heldout_after:.0%}, "
            f"regression {figures.regression_before:.0%} → {figures.regression_after:.0%}"
        )
        if judgement.promoted:
            return await self._parts.runs.save(run.moved_to(TrainingState.SWAPPING), words, scores)
        reasons = "; ".join(judgement.reasons)
        ended = run.ended_as(TrainingState.REJECTED, "NOT_BETTER", reasons)
        return await self._parts.runs.save(ended, f"{words}: {reasons}", scores)

    async def _scores(self, run: TrainingRun, base: Base, persona: PersonaCard) -> PairedScores:
        parts = self._parts
        parity = await measure(parts.backend, run.model, parts.directory(run.id).parity)
        heldout = await parts.datasets.heldout(run.dataset.removeprefix("datasets/"))
        regression = await asyncio.to_thread(base.regression_examples, persona.system_prompt)
        examples = [*heldout, *regression]
        report = self._reporter(run)
        parts.evaluation.forget()
        # One model after the other: a backend with room for one would load them in turns.
        candidate = await parts.evaluation.scores(run.model, examples, report)
        incumbent = await parts.evaluation.scores(persona.model_tag, examples, report)
        cut = len(heldout)
        return PairedScores(
            heldout_incumbent=incumbent[:cut],
            heldout_candidate=candidate[:cut],
            regression_incumbent=incumbent[cut:],
            regression_candidate=candidate[cut:],
            template_parity=parity.holds,
        )

    def _reporter(self, run: TrainingRun) -> Report:
        last = 0.0

        async def report(tag: str, judged: int, total: int) -> None:
            nonlocal last
            if judged < total and time.monotonic() - last < _EVENT_SECONDS:
                return
            last = time.monotonic()
            await self._parts.runs.save(run, f"{tag}: {judged} of {total} examples judged")

        return report
