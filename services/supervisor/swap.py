"""Swaps and rollbacks: the only ways in which a persona's model changes."""

import asyncio
import math
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from services.supervisor import metrics
from services.supervisor.events import EventKind, Happening
from services.supervisor.gpu_arbiter import GpuArbiter
from services.supervisor.model import ModelBackend
from services.supervisor.persona import ModelPointer, Persona
from shared.errors import FailedPrecondition, InvalidArgument
from shared.promotion import PromotionPolicy, Scores, judge

Receipt = Callable[[sqlite3.Connection, Persona], None]

_MOST_FIGURES = 10_000


@dataclass(frozen=True, slots=True)
class Report:
    """A finished model and the figures that speak for it; `model.generation` does not count."""

    fencing_token: int
    persona: str
    model: ModelPointer
    training_run: str
    heldout: Scores
    regression: Scores
    template_parity: bool


class Personas(Protocol):
    """Where personas are kept."""

    async def get(self, name: str) -> Persona:
        """One persona; NotFound."""

    async def move(
        self, persona: Persona, model: ModelPointer, happening: Happening, receipt: Receipt
    ) -> Persona:
        """Compare-and-set of a pointer; Aborted where it was moved meanwhile."""


class Swaps(Protocol):
    """Where swaps are kept."""

    async def commit(self, persona: Persona, report: Report, receipt: Receipt) -> Persona:
        """Moves the pointer and ends the lease, both or neither."""

    async def refuse(self, report: Report, reasons: str) -> None:
        """Tells of a swap that was refused."""


class Swapper:
    """Moves pointers, and believes nobody: it judges the figures and looks at the model itself."""

    def __init__(
        self,
        personas: Personas,
        swaps: Swaps,
        arbiter: GpuArbiter,
        model: ModelBackend,
        policy: PromotionPolicy,
    ) -> None:
        self._personas = personas
        self._swaps = swaps
        self._arbiter = arbiter
        self._model = model
        self._policy = policy

    async def report(self, report: Report, receipt: Receipt) -> Persona:
        """The persona with its new model; the lease is over then.

        FailedPrecondition SWAP_REFUSED with the reasons, upon which the lease goes on, or
        STALE_FENCING_TOKEN.
        """
        async with self._arbiter.swapping(report.fencing_token):
            persona = await self._personas.get(report.persona)
            if reasons := await self._faults(report):
                await self._swaps.refuse(report, "; ".join(reasons))
                metrics.swaps.labels("refused").inc()
                raise FailedPrecondition(
                    f"the swap is refused: {'; '.join(reasons)}",
                    reason="SWAP_REFUSED",
                    metadata={f"reason_{n}": text for n, text in enumerate(reasons, start=1)},
                )
            await self._model.warm(report.model.tag)
            swapped = await self._swaps.commit(persona, report, receipt)
            metrics.swaps.labels("swapped").inc()
            return swapped

    async def roll_back(self, name: str, receipt: Receipt) -> Persona:
        """The persona with the model that it had before. Twice is forward again."""
        persona = await self._personas.get(name)
        if persona.previous is None:
            raise FailedPrecondition(
                f"{persona.name} has spoken with no other model before",
                reason="NO_PREVIOUS_MODEL",
            )
        model = await self._found(persona.previous)
        message = f"{persona.name} speaks with {model.tag} again, not {persona.model.tag}."
        back = Happening(EventKind.ROLLED_BACK, persona.name, model.tag, message)
        return await self._personas.move(persona, model, back, receipt)

    async def _found(self, pointer: ModelPointer) -> ModelPointer:
        listed = await self._model.digest(pointer.tag)
        if not listed:
            raise FailedPrecondition(
                f"the model backend no longer has {pointer.tag!r}", reason="MODEL_NOT_FOUND"
            )
        if pointer.digest and not _same(listed, pointer.digest):
            raise FailedPrecondition(
                f"{pointer.tag!r} names another model now: {listed}, not {pointer.digest}",
                reason="MODEL_CHANGED",
            )
        return ModelPointer(pointer.tag, listed)

    async def _faults(self, report: Report) -> list[str]:
        # The bootstrap takes a moment of pure computing, too long for the event loop.
        judgement = await asyncio.to_thread(
            judge, report.heldout, report.regression, report.template_parity, self._policy
        )
        return [*judgement.reasons, *await self._model_faults(report.model)]

    async def _model_faults(self, model: ModelPointer) -> list[str]:
        listed = await self._model.digest(model.tag)
        if not listed:
            return [f"the model backend has no model {model.tag!r}"]
        if not _same(listed, model.digest):
            return [f"{model.tag!r} has the digest {listed}, not {model.digest}"]
        return []


def paired(field: str, incumbent: list[float], candidate: list[float]) -> Scores:
    """Scores of the same examples; InvalidArgument where they cannot be that."""
    if len(incumbent) != len(candidate):
        raise InvalidArgument.of_field(f"{field}_candidate", "must pair with the incumbent's")
    if len(incumbent) > _MOST_FIGURES:
        raise InvalidArgument.of_field(f"{field}_incumbent", f"at most {_MOST_FIGURES} scores")
    if any(not math.isfinite(score) or not 0 <= score <= 1 for score in incumbent + candidate):
        raise InvalidArgument.of_field(field, "scores must be from 0 to 1")
    return Scores(incumbent, candidate)


def _same(one: str, other: str) -> bool:
    return one.removeprefix("sha256:") == other.removeprefix("sha256:")
