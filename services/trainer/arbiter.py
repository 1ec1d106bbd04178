"""The port to the Supervisor: personas, the GPU lease and the model swap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class PersonaCard:
    """A persona as the Supervisor has it; `model_tag` is the incumbent.

    `previous_tag` is what a rollback would give it back, "" where it never changed.
    """

    name: str
    system_prompt: str
    model_tag: str
    base_model: str
    generation: int
    toolsmith: bool
    previous_tag: str = ""


@dataclass(frozen=True)
class Lease:
    """The right to the GPU: its fencing token, and how long one renewal lasts, in seconds."""

    token: int
    ttl: float


@dataclass(frozen=True)
class PairedScores:
    """Scores 0 to 1 of the same examples in the same order."""

    heldout_incumbent: Sequence[float]
    heldout_candidate: Sequence[float]
    regression_incumbent: Sequence[float]
    regression_candidate: Sequence[float]
    template_parity: bool


@dataclass(frozen=True)
class Swap:
    """A finished model: its tag and digest, the run that made it, and what speaks for it."""

    token: int
    persona: str
    tag: str
    digest: str
    run: str
    scores: PairedScores


class Arbiter(Protocol):
    """Raises errors of shared.errors; Unavailable where the Supervisor is away."""

    async def persona(self, name: str) -> PersonaCard:
        """A persona; NotFound for an unknown one."""

    async def acquire(
        self, request_id: str, holder: str, ttl: float, expected_seconds: float
    ) -> Lease:
        """Claims the GPU; ResourceExhausted with retry_after while another holds it."""

    async def renew(self, token: int, timeout: float) -> Lease:
        """Keeps a lease; FailedPrecondition (STALE_FENCING_TOKEN) where it is gone."""

    async def release(self, token: int) -> None:
        """Gives the GPU back."""

    async def report_swap(self, request_id: str, swap: Swap) -> PersonaCard:
        """Has the pointer moved; FailedPrecondition where the Supervisor's verdict differs."""
