"""One sandbox kept for one caller, cell after cell."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from services.sandbox_executor.events import Event, follow
from services.sandbox_executor.job import Ended, Job, Outcome
from services.sandbox_executor.memory_budget import MemoryBudget
from services.sandbox_executor.output import Listener
from services.sandbox_executor.pool import Claimed
from services.sandbox_executor.run import Run
from shared.errors import Aborted

_T = TypeVar("_T")


@dataclass(frozen=True)
class SessionBounds:
    """A session ends after `idle_seconds` without a cell, and after `longest_seconds` anyhow."""

    idle_seconds: float
    longest_seconds: float


class Session:
    """Runs cells in its sandbox until one ends it; between cells the sandbox stands still.

    `ended` once a cell reached a limit or crashed. `cells` is how many have begun.
    """

    def __init__(self, claimed: Claimed, budget: MemoryBudget, bounds: SessionBounds) -> None:
        self.sandbox_id = claimed.sandbox.id
        self.ended = False
        self.cells = 0
        self._claimed = claimed
        self._budget = budget
        self._bounds = bounds
        self._end = asyncio.get_running_loop().time() + bounds.longest_seconds

    @property
    def remaining_seconds(self) -> float:
        """Until it ends, whatever is done in it."""
        return max(0.0, self._end - asyncio.get_running_loop().time())

    async def wait_for(self, coming: Coroutine[Any, Any, _T]) -> _T:
        """The caller's next message. Raises Aborted where it does not come in time."""
        self._claimed.sandbox.pause()
        patience = min(self._bounds.idle_seconds, self.remaining_seconds)
        try:
            async with asyncio.timeout(patience):
                return await coming
        except TimeoutError:
            raise self._too_late() from None

    async def run(self, job: Job) -> AsyncGenerator[Event, None]:
        """Runs a cell and yields its events, Ended last."""
        self.cells += 1
        self._claimed.sandbox.resume()
        async with contextlib.aclosing(follow(lambda listener: self._run(job, listener))) as events:
            async for event in events:
                if isinstance(event, Ended):
                    self.ended = event.verdict.outcome not in (Outcome.OK, Outcome.FAILED)
                yield event

    async def _run(self, job: Job, listener: Listener) -> Ended:
        wall = min(job.limits.wall_seconds, self.remaining_seconds)
        bounded = replace(job, limits=replace(job.limits, wall_seconds=wall))
        sandbox, warm = self._claimed.sandbox, self._claimed.warm
        return await Run(sandbox, bounded, self._budget, warm=warm, listener=listener).finish()

    def _too_late(self) -> Aborted:
        if self.remaining_seconds <= 0:
            return Aborted(
                f"a session lives for {self._bounds.longest_seconds:g} s at most; open another",
                reason="SESSION_EXPIRED",
            )
        return Aborted(
            f"no cell came for {self._bounds.idle_seconds:g} s; open another session",
            reason="SESSION_IDLE",
        )
