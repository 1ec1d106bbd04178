"""A forge: the whole run from spec to tool, attempt by attempt."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from services.toolforge.spec import Example, Spec

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
class Sample:
    """A draft of an attempt that was tried and not chosen."""

    source: str
    verdict: Verdict
    finding: str
    passed_count: int


@dataclass(frozen=True)
class ProposedTest:
    """A test that the model thought of; `disagreement` says what a tool gave instead, or ""."""

    example: Example
    disagreement: str = ""


@dataclass(frozen=True)
class Attempt:
    """One draft and its trial; `number` counts from 1, times are seconds.

    Where several samples were drawn it is the best of them, and the others are kept beside it.
    """

    number: int
    kind: Kind
    verdict: Verdict
    source: str
    finding: str
    passed_count: int
    model_seconds: float
    trial_seconds: float
    other_samples: tuple[Sample, ...] = ()


@dataclass(frozen=True)
class Forge:
    """A forge as it stands. `tool` is the tool's name once SUCCEEDED; times are Unix seconds.

    `existing` says that its tool was there before. `proposed` is None until the model was asked.
    """

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
    samples: int = 1
    proposed_limit: int = 0
    offered_limit: int = 0
    existing: bool = False
    proposed: tuple[ProposedTest, ...] | None = None


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


def temperature_of(kind: Kind, sample: int) -> float:
    """Only a resample, and what is drawn beside the first sample (0), is drawn at random."""
    return RESAMPLE_TEMPERATURE if kind is Kind.RESAMPLE or sample else 0.0


def seed_of(number: int, sample: int) -> int:
    """A seed of its own for each sample of each attempt; the first one's is the attempt's."""
    return number + 1000 * sample
