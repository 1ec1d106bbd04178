"""The gate that every turn passes: open while we serve, closed while the GPU is lent."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal

from shared.errors import Unavailable

Policy = Literal["queue", "cpu", "reject"]


class TurnGate:
    """Lets turns in, or has them wait in a bounded queue, or be answered on the CPU, or refuses.

    Under `queue` a turn that has waited `max_wait` seconds is answered on the CPU. Refusals are
    Unavailable (GPU_LEASED) and say when to come back. `in_flight` and `waiting` count turns.
    """

    def __init__(self, policy: Policy, queue_limit: int, max_wait: float) -> None:
        self._policy = policy
        self._queue_limit = queue_limit
        self._max_wait = max_wait
        self._open = asyncio.Event()
        self._open.set()
        self._idle = asyncio.Event()
        self._idle.set()
        self.in_flight = 0
        self.waiting = 0
        self._eta: Callable[[], float] = lambda: 0.0

    def close(self, eta: Callable[[], float]) -> None:
        """Lets no new turn in. `eta` guesses the seconds until the gate opens."""
        self._eta = eta
        self._open.clear()

    def open(self) -> None:
        """Lets everyone in who waits, and everyone who comes."""
        self._open.set()

    async def drained(self, seconds: float) -> bool:
        """True once no turn is in flight; False where that takes longer."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[bool]:
        """Is in flight for the time of the context; True where it must keep off the GPU.

        Nobody who wants the GPU waits for a turn that keeps off it.
        """
        if not self._open.is_set() and not await self._admitted():
            yield True
            return
        self.in_flight += 1
        self._idle.clear()
        try:
            yield False
        finally:
            self.in_flight -= 1
            if not self.in_flight:
                self._idle.set()

    async def _admitted(self) -> bool:
        """Whether the gate opened in time; False means the CPU."""
        if self._policy == "cpu":
            return False
        if self._policy == "reject":
            raise self._refusal("turns are refused meanwhile")
        if self.waiting >= self._queue_limit:
            raise self._refusal(f"{self.waiting} turns wait already")
        self.waiting += 1
        try:
            async with asyncio.timeout(self._max_wait):
                # It may be closed again before a waiter runs.
                while not self._open.is_set():
                    await self._open.wait()
        except TimeoutError:
            return False
        finally:
            self.waiting -= 1
        return True

    def _refusal(self, why: str) -> Unavailable:
        return Unavailable(
            f"the GPU is lent to a training run; {why}",
            reason="GPU_LEASED",
            retry_after=max(1.0, self._eta()),
        )
