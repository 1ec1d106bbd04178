"""Waiting in one line for several places: Erlang's formula C.

Callers come at random (a Poisson process), stay for an exponentially distributed time, and are
taken first come, first served (M/M/c): A. K. Erlang, 1917; as in L. Kleinrock, "Queueing Systems",
1975.
Answers of a model and runs in sandboxes vary less than that, so real waits are shorter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Queue:
    """`rate` callers a second, each staying for `seconds` at one of `places`."""

    rate: float
    seconds: float
    places: int

    @property
    def load(self) -> float:
        """The share of the places that is taken, on average; from 1 on the line grows for ever."""
        return self.rate * self.seconds / self.places

    @property
    def waiting_share(self) -> float:
        """The share of callers who wait at all."""
        if self.load >= 1:
            return 1.0
        busy = self.rate * self.seconds
        blocked = 1.0  # Erlang's formula B, by its recurrence
        for place in range(1, self.places + 1):
            blocked = busy * blocked / (place + busy * blocked)
        return blocked / (1 - self.load * (1 - blocked))

    def wait(self, quantile: float) -> float:
        """The wait, in seconds, that so large a share of callers does not exceed."""
        if self.load >= 1:
            return math.inf
        beyond = 1 - quantile
        if self.waiting_share <= beyond:
            return 0.0
        return math.log(self.waiting_share / beyond) * self.seconds / self.places / (1 - self.load)


def places_needed(
    rate: float, seconds: float, quantile: float, longest: float, most: int = 4096
) -> int:
    """The fewest places at which that share of callers waits no longer than `longest` seconds.

    ValueError where `most` are not enough.
    """
    for places in range(max(1, math.ceil(rate * seconds)), most + 1):
        if Queue(rate, seconds, places).wait(quantile) <= longest:
            return places
    raise ValueError(f"more than {most} places would be needed")
