"""A training run and its states."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field
from enum import Enum

from services.trainer.hyperparameters import Hyperparameters
from services.trainer.progress import Progress
from shared.errors import FailedPrecondition


class TrainingState(Enum):
    """Where a run stands; the names are those of the contract."""

    QUEUED = "QUEUED"
    PREPARING = "PREPARING"
    WAITING_FOR_GPU = "WAITING_FOR_GPU"
    TRAINING = "TRAINING"
    EXPORTING = "EXPORTING"
    EVALUATING = "EVALUATING"
    SWAPPING = "SWAPPING"
    SUCCEEDED = "SUCCEEDED"
    REJECTED = "REJECTED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def ended(self) -> bool:
        """True for the four ends."""
        return self in _ENDS


_ENDS = frozenset(
    {
        TrainingState.SUCCEEDED,
        TrainingState.REJECTED,
        TrainingState.FAILED,
        TrainingState.CANCELLED,
    }
)
_STOPPED = frozenset({TrainingState.FAILED, TrainingState.CANCELLED})
_NEXT: dict[TrainingState, frozenset[TrainingState]] = {
    TrainingState.QUEUED: frozenset({TrainingState.PREPARING}) | _STOPPED,
    TrainingState.PREPARING: frozenset({TrainingState.WAITING_FOR_GPU}) | _STOPPED,
    TrainingState.WAITING_FOR_GPU: frozenset({TrainingState.TRAINING}) | _STOPPED,
    TrainingState.TRAINING: frozenset({TrainingState.EXPORTING}) | _STOPPED,
    TrainingState.EXPORTING: frozenset({TrainingState.EVALUATING}) | _STOPPED,
    TrainingState.EVALUATING: frozenset({TrainingState.SWAPPING, TrainingState.REJECTED})
    | _STOPPED,
    TrainingState.SWAPPING: frozenset({TrainingState.SUCCEEDED, TrainingState.REJECTED}) | _STOPPED,
}


@dataclass(frozen=True)
class Figures:
    """Shares of examples met, 0 to 1, of the incumbent (before) and the new model (after)."""

    heldout_before: float
    heldout_after: float
    improvement_lower_bound: float
    regression_before: float
    regression_after: float
    heldout_count: int
    regression_count: int
    template_parity: bool


@dataclass(frozen=True)
class TrainingRun:
    """One fine-tune as it stands.

    `dataset` and `model` are empty until there are any; `reason` is a word for programs beside
    the sentence `failure`; `lease_epoch` counts the leases that ran out before they could be
    used again; `takes` how often the run was begun or, after an interruption, taken up again.
    """

    id: str
    persona: str
    base: str
    engine: str
    hyperparameters: Hyperparameters
    dataset: str = ""
    state: TrainingState = TrainingState.QUEUED
    progress: Progress | None = None
    figures: Figures | None = None
    model: str = ""
    model_digest: str = ""
    failure: str = ""
    reason: str = ""
    generation: int = 0
    lease_epoch: int = 0
    takes: int = 0
    created_at: float = field(default_factory=time.time)

    @property
    def name(self) -> str:
        """The resource name."""
        return f"trainingRuns/{self.id}"

    def moved_to(self, state: TrainingState) -> TrainingRun:
        """The run in its next state; FailedPrecondition where there is no such way."""
        if state not in _NEXT.get(self.state, frozenset()):
            raise FailedPrecondition(
                f"{self.name} is {self.state.value} and cannot become {state.value}",
                reason="WRONG_STATE",
            )
        return dataclasses.replace(self, state=state)

    def ended_as(self, state: TrainingState, reason: str, failure: str) -> TrainingRun:
        """The run at an end that is no success."""
        return dataclasses.replace(self.moved_to(state), reason=reason, failure=failure)


@dataclass(frozen=True)
class TrainingEvent:
    """What was seen of a run: `state` after it, progress where the worker reported."""

    sequence: int
    state: TrainingState
    progress: Progress | None
    message: str
