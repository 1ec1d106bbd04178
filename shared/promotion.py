"""The promotion verdict: is the new model better, and did it keep what the old one knew?

Trainer and Supervisor both compute it from the same figures, so that neither trusts the other.
Method: paired bootstrap (Efron & Tibshirani 1993; for paired system comparison Koehn, EMNLP 2004).
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

RESAMPLES = 2000
_SEED = 3407  # fixed, so that both sides get the same bound


@dataclass(frozen=True)
class PromotionPolicy:
    """What a new model must reach.

    `minimum_heldout` examples at least; the lower bound of the improvement above
    `minimum_improvement`; at most `regression_tolerance` (a share) of the regression set lost.
    """

    minimum_heldout: int = 8
    minimum_improvement: float = 0.0
    regression_tolerance: float = 0.05


@dataclass(frozen=True)
class Scores:
    """Scores from 0 to 1 of the same examples in the same order."""

    incumbent: Sequence[float]
    candidate: Sequence[float]

    def __post_init__(self) -> None:
        if len(self.incumbent) != len(self.candidate):
            raise ValueError("paired scores need equally many of both")


@dataclass(frozen=True)
class Judgement:
    """The verdict; `reasons` says in sentences what was missing, empty where promoted."""

    promoted: bool
    reasons: tuple[str, ...]
    improvement_lower_bound: float


def mean(scores: Sequence[float]) -> float:
    """Arithmetic mean; 0.0 for none."""
    return sum(scores) / len(scores) if scores else 0.0


def improvement_lower_bound(heldout: Scores) -> float:
    """2.5th percentile of the mean paired difference over bootstrap resamples."""
    differences = [b - a for a, b in zip(heldout.incumbent, heldout.candidate, strict=True)]
    if not differences:
        return 0.0
    generator = random.Random(_SEED)
    means = sorted(
        mean(generator.choices(differences, k=len(differences))) for _ in range(RESAMPLES)
    )
    return means[int(0.025 * RESAMPLES)]


def judge(
    heldout: Scores, regression: Scores, template_parity: bool, policy: PromotionPolicy
) -> Judgement:
    """The verdict on a new model."""
    bound = improvement_lower_bound(heldout)
    reasons = []
    if len(heldout.candidate) < policy.minimum_heldout:
        reasons.append(
            f"{len(heldout.candidate)} held-out examples are fewer than {policy.minimum_heldout}"
        )
    if bound <= policy.minimum_improvement:
        reasons.append(
            f"held-out score went from {mean(heldout.incumbent):.3f} to "
            f"{mean(heldout.candidate):.3f}; the lower bound of the gain, {bound:.3f}, "
            f"is not above {policy.minimum_improvement:.3f}"
        )
    if mean(regression.incumbent) - mean(regression.candidate) > policy.regression_tolerance:
        reasons.append(
            f"regression score fell from {mean(regression.incumbent):.3f} to "
            f"{mean(regression.candidate):.3f}, more than {policy.regression_tolerance:.3f}"
        )
    if not template_parity:
        reasons.append("the chat is rendered differently in training and by the model server")
    return Judgement(not reasons, tuple(reasons), bound)
