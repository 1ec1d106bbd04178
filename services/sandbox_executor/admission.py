"""Who may run now, who waits, and who is turned away before anything ran."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.errors import ResourceExhausted

# A guess at how soon a place is free, for callers that are refused.
_RETRY_SECONDS = 0.25


class Admission:
    """`running` runs at once, `queued` more wait; sessions take `sessions` places at most."""

    def __init__(self, running: int, queued: int, sessions: int) -> None:
        self._running = running
        self._queued = queued
        self._sessions = sessions
        self._places = asyncio.Semaphore(running)
        self.busy_count = 0
        self.queued_count = 0
        self.session_count = 0

    async def enter(self) -> None:
        """Takes a place, which `leave` gives back. Raises ResourceExhausted."""
        if self._places.locked():
            if self.queued_count >= self._queued:
                raise ResourceExhausted(
                    f"{self._running} runs are under way and {self.queued_count} wait",
                    reason="SANDBOX_QUEUE_FULL",
                    retry_after=_RETRY_SECONDS,
                )
            self.queued_count += 1
            try:
                await self._places.acquire()
            finally:
                self.queued_count -= 1
        else:
            await self._places.acquire()
        self.busy_count += 1

    def leave(self) -> None:
        """Gives the place back."""
        self.busy_count -= 1
        self._places.release()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[None]:
        """One of the sessions. Raises ResourceExhausted where there are too many."""
        if self.session_count >= self._sessions:
            raise ResourceExhausted(
                f"{self.session_count} sessions are open, and no more may be",
                reason="SANDBOX_SESSIONS_FULL",
                retry_after=_RETRY_SECONDS,
            )
        self.session_count += 1
        try:
            yield
        finally:
            self.session_count -= 1
