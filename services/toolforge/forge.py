"""A forge: the whole run from spec to tool, attempt by attempt."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from services.toolforge.spec import Spec

RESAMPLE_TEMPERATURE = 0.8


class State(StrEnum):
    """Where a forge stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self in {State.SUCCEEDED, State.FAILED, State.CANCELLED}


class Kind(StrEnum):
    """How a draft came about."""

    DRAFT = "draft"
    REPAIR = "repair"
    RESAMPLE = "resample"


class Verdict(StrEnum):
    """What an attempt came to."""

    PASSED = "passed"
    CHECK_FAILED = "check failed"
    TRIAL_FAILED = "trial failed"


@dataclass(frozen=True)
class Attempt:
    """One draft and its trial; `number` counts from 1, times are seconds."""

    number: int
    kind: Kind
    verdict: Verdict
    source: str
    finding: str
    passed_count: int
    model_seconds: float
    trial_seconds: float


@dataclass(frozen=True)
class Forge:
    """A forge as it stands. `tool` is the tool's name once SUCCEEDED; times are Unix seconds."""

    id: str
    spec: Spec
    persona: str
    attempt_limit: int
    state: State
    created_at: float
    attempts: tuple[Attempt, ...] = field(default=())
    tool: str = ""
    failure: str = ""
    failure_reason: str = ""
    model: str = ""


@dataclass(frozen=True)
class Event:
    """What happened to a forge; `sequence` grows by one from 1 within it."""

    sequence: int
    state: State
    attempt: Attempt | None


def next_kind(attempts: Sequence[Attempt]) -> Kind:
    """How the next attempt comes about: draft, repair, resample, repair, resample, ...

    An answer without code cannot be repaired; it is followed by a resample.
    """
    if not attempts:
        return Kind.DRAFT
    last = attempts[-1]
    return Kind.RESAMPLE if last.kind is Kind.REPAIR or not last.source else Kind.REPAIR


def temperature_of(kind: Kind) -> float:
    """Only a resample is drawn at random."""
    return RESAMPLE_TEMPERATURE if kind is Kind.RESAMPLE else 0.0
