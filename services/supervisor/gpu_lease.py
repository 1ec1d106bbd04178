"""The right to the GPU: what is claimed, what is kept, and the states that it goes through."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from services.supervisor.events import Happening
from shared.errors import InvalidArgument

SHORTEST_TTL = 5.0
LONGEST_TTL = 600.0
DEFAULT_TTL = 60.0


class ServingState(IntEnum):
    """SERVING → DRAINING → TRAINING → SWAPPING → SERVING; the numbers are those of the contract."""

    SERVING = 1
    DRAINING = 2
    TRAINING = 3
    SWAPPING = 4


@dataclass(frozen=True, slots=True)
class Claim:
    """Who wants the GPU. Times in seconds; `expected` is 0 where it is unknown."""

    request_id: str
    holder: str
    ttl: float = DEFAULT_TTL
    expected: float = 0.0

    def check(self) -> None:
        """InvalidArgument for a claim that can never be granted."""
        if not 1 <= len(self.holder.encode()) <= 200:
            raise InvalidArgument.of_field("holder", "must have 1 to 200 bytes")
        if not SHORTEST_TTL <= self.ttl <= LONGEST_TTL:
            raise InvalidArgument.of_field("ttl", "must be 5 s to 10 min")
        if self.expected < 0:
            raise InvalidArgument.of_field("expected_duration", "must not be negative")


@dataclass(frozen=True, slots=True)
class Standing:
    """What is kept of the lease. In SERVING only the token counts: the last one ever given."""

    state: ServingState
    fencing_token: int
    claim: Claim


class Leases(Protocol):
    """Where the standing is kept."""

    async def load(self) -> Standing:
        """As it was saved last."""

    async def save(self, standing: Standing, happening: Happening | None = None) -> None:
        """Keeps a standing and its event together."""
