"""The promotion gate: figures and verdict of an evaluated model."""

from __future__ import annotations

from services.trainer.arbiter import PairedScores
from services.trainer.training_run import Figures
from shared.promotion import Judgement, PromotionPolicy, Scores, judge, mean


def verdict(scores: PairedScores, policy: PromotionPolicy) -> tuple[Figures, Judgement]:
    """The figures for people, and whether the new model is better."""
    judgement = judge(
        Scores(scores.heldout_incumbent, scores.heldout_candidate),
        Scores(scores.regression_incumbent, scores.regression_candidate),
        scores.template_parity,
        policy,
    )
    figures = Figures(
        heldout_before=mean(scores.heldout_incumbent),
        heldout_after=mean(scores.heldout_candidate),
        improvement_lower_bound=judgement.improvement_lower_bound,
        regression_before=mean(scores.regression_incumbent),
        regression_after=mean(scores.regression_candidate),
        heldout_count=len(scores.heldout_candidate),
        regression_count=len(scores.regression_candidate),
        template_parity=scores.template_parity,
    )
    return figures, judgement
