"""Gives the GPU to one holder at a time.

Every step is durable before it counts, so a crash anywhere resumes or undoes. Fencing tokens
after M. Kleppmann, "How to do distributed locking" (2016): they only ever grow, and whoever
writes for a lease shows its token.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog

from services.supervisor.events import EventKind, Happening
from services.supervisor.gpu_lease import Claim, Leases, ServingState, Standing
from services.supervisor.gpu_memory import GpuMemory
from services.supervisor.turn_gate import TurnGate
from shared.errors import (
    Aborted,
    FailedPrecondition,
    InvalidArgument,
    ResourceExhausted,
    Unavailable,
)
from shared.keyed_locks import KeyedLocks

_log = structlog.get_logger()

_NOBODY = Claim("", "")
_HELD = (ServingState.TRAINING, ServingState.SWAPPING)
# How soon a lease that ran out during a swap is looked at again.
_SWAP_GLANCE_SECONDS = 0.2


class GpuArbiter:
    """The lease and its clock. Deadlines are monotonic; `drain_seconds` bounds the wait for turns.

    `resume` comes first, `close` last.
    """

    def __init__(
        self, leases: Leases, gate: TurnGate, memory: GpuMemory, drain_seconds: float
    ) -> None:
        self._leases = leases
        self._gate = gate
        self._memory = memory
        self._drain_seconds = drain_seconds
        self._claims = KeyedLocks()
        self._standing = Standing(ServingState.SERVING, 0, _NOBODY)
        self._deadline = self._expected_end = 0.0
        self._clock: asyncio.Task[None] | None = None

    @property
    def state(self) -> ServingState:
        """Who has the GPU now."""
        return self._standing.state

    async def resume(self) -> None:
        """Takes up what a crash left: a holder gets one full TTL, a drain is undone."""
        self._standing = await self._leases.load()
        if self.state is ServingState.DRAINING:
            await self._serve_again(EventKind.LEASE_RELEASED, "A restart undid the claim of {}.")
        elif self.state in _HELD:
            await self._enter(ServingState.TRAINING)
            self._close_gate()
            self._start_clock()

    async def close(self) -> None:
        """Stops the clock. The lease stays as it is kept."""
        if self._clock:
            self._clock.cancel()
            await asyncio.wait({self._clock})

    async def acquire(self, claim: Claim) -> Standing:
        """The lease, once turns and models are out of the way.

        ResourceExhausted while another has it; Unavailable where turns or models do not make
        way, in which case serving goes on. Its own holder may claim it anew, after a crash of
        its own: that fences off what the crash left running.
        """
        claim.check()
        async with self._claims.hold(claim.request_id):
            if self.state in _HELD and self._standing.claim.request_id == claim.request_id:
                return self._same(claim)
            self._refuse_if_taken(claim)
            return await self._take(claim)

    async def renew(self, token: int) -> Standing:
        """Counts the TTL anew; FailedPrecondition (STALE_FENCING_TOKEN) for any other token."""
        self.check(token)
        self._deadline = time.monotonic() + self._standing.claim.ttl
        return self._standing

    async def release(self, token: int) -> None:
        """Gives the GPU back; a lease already gone is no error."""
        if token != self._standing.fencing_token or self.state not in _HELD:
            return
        if self.state is ServingState.SWAPPING:
            raise Aborted("a swap is under way for this lease; release it afterwards")
        await self._serve_again(EventKind.LEASE_RELEASED, "{} gave the GPU back.")

    def check(self, token: int) -> None:
        """FailedPrecondition (STALE_FENCING_TOKEN) for any token but that of the living lease."""
        ran_out = self.state is ServingState.TRAINING and time.monotonic() >= self._deadline
        if self.state not in _HELD or token != self._standing.fencing_token or ran_out:
            raise FailedPrecondition(
                f"fencing token {token} is stale; its lease is over", reason="STALE_FENCING_TOKEN"
            )

    @asynccontextmanager
    async def swapping(self, token: int) -> AsyncIterator[None]:
        """SWAPPING for the time of the context, in which the lease cannot expire.

        Whoever moves a pointer saves SERVING in the same transaction. Where that was done the
        lease is over at the end, else its holder has it on.
        """
        self.check(token)
        if self.state is ServingState.SWAPPING:
            raise Aborted("another swap is under way for this lease")
        await self._enter(ServingState.SWAPPING)
        try:
            yield
        finally:
            # Asked of the journal, which knows even where the caller was cancelled meanwhile.
            kept = await self._leases.load()
            if kept.state is ServingState.SWAPPING:
                await self._enter(ServingState.TRAINING)
            else:
                self._standing = kept
                self._gate.open()

    def _same(self, claim: Claim) -> Standing:
        if claim != self._standing.claim:
            raise InvalidArgument(
                "request_id was used before with another request; take a fresh UUID",
                reason="REQUEST_ID_REUSED",
            )
        return self._standing

    def _refuse_if_taken(self, claim: Claim) -> None:
        if self.state is ServingState.SERVING:
            return
        if self.state is ServingState.TRAINING and self._standing.claim.holder == claim.holder:
            return
        raise ResourceExhausted(
            f"{self._standing.claim.holder} has the GPU",
            reason="GPU_LEASED",
            metadata={"holder": self._standing.claim.holder},
            retry_after=max(1.0, self._eta()),
        )

    async def _take(self, claim: Claim) -> Standing:
        now = time.monotonic()
        self._expected_end = now + claim.expected
        self._deadline = now + claim.ttl
        # Counts at once, before anything is awaited: from here on it is taken.
        standing = Standing(ServingState.DRAINING, self._standing.fencing_token + 1, claim)
        self._standing = standing
        self._close_gate()
        try:
            await self._leases.save(
                standing, _told(EventKind.DRAINING, claim, "{} claims the GPU.")
            )
            await self._make_way()
            self._standing = replace(standing, state=ServingState.TRAINING)
            has_it = _told(EventKind.LEASE_ACQUIRED, claim, "{} has the GPU.")
            await self._leases.save(self._standing, has_it)
        except BaseException:
            self._standing = standing
            await self._serve_again(EventKind.LEASE_RELEASED, "The claim of {} was undone.")
            raise
        self._start_clock()
        return self._standing

    async def _make_way(self) -> None:
        if not await self._gate.drained(self._drain_seconds):
            raise Unavailable(
                f"turns in flight did not finish within {self._drain_seconds:.0f} s",
                reason="DRAIN_TIMEOUT",
                retry_after=self._drain_seconds,
            )
        await self._memory.free()

    async def _enter(self, state: ServingState) -> None:
        self._standing = replace(self._standing, state=state)
        await self._leases.save(self._standing)

    async def _serve_again(self, kind: EventKind, message: str) -> None:
        happening = _told(kind, self._standing.claim, message)
        self._standing = Standing(ServingState.SERVING, self._standing.fencing_token, _NOBODY)
        try:
            await self._leases.save(self._standing, happening)
        finally:
            # Turns go on even where the disk is full; a restart would then give the holder a TTL.
            self._gate.open()

    def _close_gate(self) -> None:
        self._gate.close(self._eta)

    def _eta(self) -> float:
        """Seconds until serving goes on, as far as anybody knows."""
        return max(self._expected_end, self._deadline) - time.monotonic()

    def _start_clock(self) -> None:
        self._deadline = time.monotonic() + self._standing.claim.ttl
        if self._clock:
            self._clock.cancel()
        self._clock = asyncio.create_task(self._expire(self._standing.fencing_token))

    async def _expire(self, token: int) -> None:
        while self.state in _HELD and self._standing.fencing_token == token:
            left = self._deadline - time.monotonic()
            if left > 0 or self.state is ServingState.SWAPPING:
                await asyncio.sleep(max(left, _SWAP_GLANCE_SECONDS))
            else:
                _log.warning("lease expired", holder=self._standing.claim.holder, token=token)
                await self._serve_again(EventKind.LEASE_EXPIRED, "{} did not renew its lease.")


def _told(kind: EventKind, claim: Claim, message: str) -> Happening:
    return Happening(kind, subject=claim.holder, message=message.format(claim.holder))
