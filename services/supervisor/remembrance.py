"""Carries what was said to Memory, at least once, however long Memory is away."""

import asyncio
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import structlog

from services.supervisor.memory import USER, Batch, Closing, Episode, Memory, namespace_of
from services.supervisor.soma import TEXT_LIMIT_BYTES, Soma, Turn
from shared.errors import BatosError, FailedPrecondition, InvalidArgument, NotFound

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Parcel:
    """What waits for delivery; lower ids were said earlier."""

    id: int
    content: Batch | Closing


class Outbox(Protocol):
    """The durable queue of what Memory has not acknowledged yet."""

    async def first(self) -> Parcel | None:
        """The oldest parcel."""

    async def delivered(self, parcel: Parcel) -> None:
        """Drops a parcel."""

    async def refused(self, parcel: Parcel, reason: str) -> None:
        """Sets aside a parcel that Memory will never take, so that the others pass."""

    def next_change(self) -> asyncio.Event:
        """Is set once something was written after this call."""


class Remembrance:
    """Delivers the outbox in order, in the background; `run` is its task."""

    def __init__(self, outbox: Outbox, memory: Memory) -> None:
        self._outbox = outbox
        self._memory = memory
        self._failing = asyncio.Event()

    async def run(self) -> None:
        """Delivers until cancelled, with growing pauses while Memory is away."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            if await self._delivered_next():
                pause = _FIRST_PAUSE_SECONDS
            else:
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def settled(self, seconds: float) -> None:
        """Waits until all was delivered, delivery fails, or the time is over."""
        try:
            async with asyncio.timeout(seconds):
                await self._empty_or_failing()
        except TimeoutError:
            return

    async def _empty_or_failing(self) -> None:
        while not self._failing.is_set():
            changed = self._outbox.next_change()
            if await self._outbox.first() is None:
                return
            await _first_of(changed, self._failing)

    async def _delivered_next(self) -> bool:
        """Delivers one parcel, or waits for one; False where it must be tried again."""
        try:
            changed = self._outbox.next_change()
            parcel = await self._outbox.first()
            if parcel is None:
                await changed.wait()
            else:
                await self._deliver(parcel)
        except BatosError as error:  # Memory is away, or our own disk is full
            if not self._failing.is_set():
                _log.warning("turns wait for Memory", error=error.message)
            self._failing.set()
            return False
        self._failing.clear()
        return True

    async def _deliver(self, parcel: Parcel) -> None:
        content = parcel.content
        try:
            if isinstance(content, Closing):
                await self._memory.consolidate(content)
            else:
                await self._memory.remember(content)
        except (InvalidArgument, FailedPrecondition, NotFound) as error:
            _log.error("Memory refused a parcel", parcel=parcel.id, error=error.message)
            await self._outbox.refused(parcel, error.message)
        else:
            await self._outbox.delivered(parcel)


def said(soma: Soma, turn: Turn) -> Batch:
    """Both sides of a turn, as Memory is to keep them; nothing is kept of an empty answer."""
    answered_at = turn.created_at + timedelta(seconds=turn.wall_seconds)
    asked = Episode(soma.name, turn.number, USER, turn.user_text, turn.created_at)
    answer = Episode(
        soma.name, turn.number, soma.persona, fitting(turn.assistant_text), answered_at
    )
    return _batch(soma, *(e for e in (asked, answer) if e.text.strip()))


def corrected(soma: Soma, turn: Turn) -> Batch:
    """A correction, as Memory is to keep it: at the time of the turn that it mends."""
    episode = Episode(
        soma.name, turn.number, soma.persona, turn.correction, turn.created_at, correction=True
    )
    return _batch(soma, episode)


def closed(soma: Soma) -> Closing:
    """The end of a Soma, as Memory is to sum it up."""
    return Closing(str(uuid.uuid4()), namespace_of(soma.persona), soma.name)


def fitting(text: str) -> str:
    """The text, cut at a character so that Memory takes it."""
    return text.encode()[:TEXT_LIMIT_BYTES].decode(errors="ignore")


def _batch(soma: Soma, *episodes: Episode) -> Batch:
    return Batch(str(uuid.uuid4()), namespace_of(soma.persona), episodes)


async def _first_of(*events: asyncio.Event) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
