"""The port to Memory: what the Supervisor asks of it, in its own words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.supervisor.soma import Recollection

USER = "user"


@dataclass(frozen=True, slots=True)
class Episode:
    """One thing that was said. `soma` is a resource name, `turn` its turn's number.

    `correction` marks words that a persona should have said and did not.
    """

    soma: str
    turn: int
    speaker: str
    text: str
    created_at: datetime
    correction: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Episodes that are kept together; `request_id` makes it safe to send them again."""

    request_id: str
    namespace: str
    episodes: tuple[Episode, ...]


@dataclass(frozen=True, slots=True)
class Closing:
    """The end of a Soma (a resource name), which is to be summed up."""

    request_id: str
    namespace: str
    soma: str


@dataclass(frozen=True, slots=True)
class Found:
    """A hit. `turn` is 0 where the record is no turn of a Soma."""

    recollection: Recollection
    turn: int
    correction: bool


class Memory(Protocol):
    """Keeps episodes and finds them. All methods raise `BatosError`s and end in bounded time."""

    async def search(
        self, namespace: str, query: str, limit: int, excluded_soma: str, seconds: float
    ) -> Sequence[Found]:
        """Hits of other Somas, best first, within so many seconds."""

    async def remember(self, batch: Batch) -> None:
        """Returns once the episodes would survive a crash of Memory."""

    async def consolidate(self, closing: Closing) -> None:
        """Sums a Soma up; NotFound where Memory has none of its episodes."""


def namespace_of(persona: str) -> str:
    """Where a persona's memories are."""
    return f"personas/{persona}"
