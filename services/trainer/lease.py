"""Holding the GPU lease: claimed with patience, renewed only while the holder is alive.

The deadline is counted on the monotonic clock from before each renewal was sent, so it is never
later than the Supervisor's own; work stops a margin before it (Gray & Cheriton, SOSP 1989).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

import structlog

from services.trainer.arbiter import Arbiter, Lease
from shared.errors import (
    BatosError,
    DeadlineExceeded,
    FailedPrecondition,
    ResourceExhausted,
    Unavailable,
)

_log = structlog.get_logger()
_LONGEST_PAUSE = 5.0


class HeldLease:
    """A lease that is being kept. `lost` is set once it must be taken for gone."""

    def __init__(self, arbiter: Arbiter, lease: Lease, since: float, margin: float) -> None:
        self._arbiter = arbiter
        self._lease = lease
        self._margin = margin
        self._deadline = since + lease.ttl
        self.lost = asyncio.Event()

    @property
    def token(self) -> int:
        """The fencing token."""
        return self._lease.token

    async def keep(self, alive: Callable[[], bool]) -> None:
        """Renews every third of the ttl while `alive()`; returns when the lease is lost."""
        try:
            while self._seconds_left() > 0:
                await asyncio.sleep(min(self._lease.ttl / 3, max(self._seconds_left(), 0)))
                if alive():
                    await self._renew()
        except FailedPrecondition as error:
            _log.warning("lease refused", token=self.token, reason=error.reason)
        finally:
            self.lost.set()

    def _seconds_left(self) -> float:
        return self._deadline - self._margin - time.monotonic()

    async def _renew(self) -> None:
        """Tries until it works or the time is up; a refusal is final and raised."""
        while (left := self._seconds_left()) > 0:
            before = time.monotonic()
            try:
                self._lease = await self._arbiter.renew(self.token, timeout=max(left, 0.1))
            except FailedPrecondition:
                raise
            except BatosError as error:
                _log.warning("lease not renewed", token=self.token, reason=error.reason)
                await asyncio.sleep(min(1.0, self._lease.ttl / 10))
            else:
                self._deadline = before + self._lease.ttl
                return


async def claim(
    arbiter: Arbiter, request_id: str, holder: str, *, ttl: float, wait: float, expected: float
) -> tuple[Lease, float]:
    """The lease, renewed once, and the monotonic time from before that.

    The renewal makes sure of a lease that was given to this holder before a crash; where it has
    run out since, FailedPrecondition says so and a fresh request id is needed. Asks again while
    another holds the GPU or the Supervisor is away, for `wait` seconds at most; then raises
    DeadlineExceeded (LEASE_NOT_GRANTED).
    """
    give_up = time.monotonic() + wait
    while True:
        try:
            lease = await arbiter.acquire(request_id, holder, ttl, expected)
            before = time.monotonic()
            return await arbiter.renew(lease.token, timeout=ttl), before
        except (ResourceExhausted, Unavailable) as error:
            pause = min(max(error.retry_after or 0.5, 0.1), _LONGEST_PAUSE)
            if time.monotonic() + pause > give_up:
                raise DeadlineExceeded(
                    f"the GPU lease was not granted within {wait:g} s: {error.message}",
                    reason="LEASE_NOT_GRANTED",
                ) from error
            await asyncio.sleep(pause)


@contextlib.asynccontextmanager
async def kept(
    arbiter: Arbiter, lease: Lease, since: float, *, margin: float, alive: Callable[[], bool]
) -> AsyncIterator[HeldLease]:
    """Keeps a lease for the length of a block, and gives it back whatever happens."""
    held = HeldLease(arbiter, lease, since, margin)
    keeper = asyncio.create_task(held.keep(alive))
    try:
        yield held
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        await asyncio.shield(_release(arbiter, held.token))


async def _release(arbiter: Arbiter, token: int) -> None:
    try:
        await arbiter.release(token)
    except BatosError as error:  # it runs out by itself
        _log.warning("lease not released", token=token, reason=error.reason)
