"""What happened, as one journal without gaps that anybody can follow from any point."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Protocol

from shared.errors import InvalidArgument


class EventKind(IntEnum):
    """What happened; the numbers are those of the contract."""

    TURN_FINISHED = 1
    SOMA_GRADED = 2
    DRAINING = 3
    LEASE_ACQUIRED = 4
    LEASE_RELEASED = 5
    LEASE_EXPIRED = 6
    MODEL_TUNED = 7
    SWAP_REFUSED = 8
    ROLLED_BACK = 9
    SOMA_CLOSED = 10
    CODEX_CHANGED = 11
    CODEX_REFUSED = 12
    IMAGE_SAVED = 13
    IMAGE_LOADED = 14
    IMAGE_DELETED = 15
    IMAGE_FAILED = 16
    SOMA_IMPORTED = 17
    AUTOLEARN_BEGUN = 18
    AUTOLEARN_PUT_OFF = 19


@dataclass(frozen=True, slots=True)
class Happening:
    """An event before the journal gave it a number and a time."""

    kind: EventKind
    persona: str = ""
    subject: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the journal; `sequence` grows by one, by more only where an image was loaded."""

    sequence: int
    created_at: datetime
    happening: Happening


class EventLog(Protocol):
    """Where events are kept."""

    async def page(self, after: int) -> Sequence[Event]:
        """The next events after a sequence, in order; empty where there are none yet."""

    def next_change(self) -> asyncio.Event:
        """Is set once something was written after this call."""


async def watch(log: EventLog, after: int) -> AsyncGenerator[Event, None]:
    """All events after a sequence, and then each new one, without end."""
    if after < 0:
        raise InvalidArgument.of_field("after_sequence", "must not be negative")
    while True:
        # Taken before the page is read, so that nothing is written unseen in between.
        changed = log.next_change()
        page = await log.page(after)
        for event in page:
            yield event
            after = event.sequence
        if not page:
            await changed.wait()
