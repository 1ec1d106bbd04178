"""The client's side of the lease, on the monotonic clock."""

from __future__ import annotations

import asyncio
import time

import pytest

from services.trainer.lease import HeldLease, claim, kept
from shared.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    PermissionDenied,
    ResourceExhausted,
    Unavailable,
)
from tests.unit.trainer.neighbours import ScriptedArbiter


async def claimed(arbiter: ScriptedArbiter, wait: float = 5.0) -> HeldLease:
    lease, since = await claim(
        arbiter, "an id", "trainingRuns/1", ttl=arbiter.ttl, wait=wait, expected=1
    )
    return HeldLease(arbiter, lease, since, margin=0.05)


async def test_it_is_renewed_while_the_worker_lives_and_given_back() -> None:
    arbiter = ScriptedArbiter()
    lease, since = await claim(arbiter, "id", "me", ttl=1.0, wait=1, expected=1)
    async with kept(arbiter, lease, since, margin=0.05, alive=lambda: True) as held:
        await asyncio.sleep(1.8)
        assert not held.lost.is_set()
    assert arbiter.renewed >= 4
    assert arbiter.released == [7]


async def test_a_silent_worker_loses_it_before_the_ttl() -> None:
    arbiter = ScriptedArbiter()
    held = await claimed(arbiter)
    began = time.monotonic()
    await asyncio.wait_for(held.keep(lambda: False), 2)
    assert held.lost.is_set()
    assert 0.6 < time.monotonic() - began < 1.0
    assert arbiter.renewed == 1  # by the claim itself


async def test_a_refused_renewal_loses_it_at_once() -> None:
    arbiter = ScriptedArbiter(ttl=3.0)
    held = await claimed(arbiter)
    arbiter.expired = True
    await asyncio.wait_for(held.keep(lambda: True), 2)
    assert held.lost.is_set()


async def test_an_absent_supervisor_is_asked_again_until_the_time_is_up() -> None:
    arbiter = ScriptedArbiter()
    held = await claimed(arbiter)
    arbiter.renewals = [Unavailable("away")] * 3
    keeper = asyncio.create_task(held.keep(lambda: True))
    await asyncio.sleep(1.3)
    assert not held.lost.is_set()
    arbiter.renewals = [Unavailable("away")] * 1000
    await asyncio.wait_for(keeper, 2)
    assert held.lost.is_set()


async def test_the_deadline_counts_from_before_a_slow_renewal() -> None:
    arbiter = ScriptedArbiter(ttl=1.2)
    renew = arbiter.renew

    async def slowly(token: int, timeout: float):
        await asyncio.sleep(0.3)
        return await renew(token, timeout)

    held = await claimed(arbiter)
    arbiter.renew = slowly
    alive = [True, False, False, False]
    began = time.monotonic()
    await asyncio.wait_for(held.keep(lambda: alive.pop(0) if alive else False), 3)
    # renewed once, sent at 0.4 s: lost at 0.4 + 1.2 - 0.05, not at 0.7 + 1.2 - 0.05
    assert time.monotonic() - began < 1.75


async def test_a_claim_waits_while_another_holds_it() -> None:
    arbiter = ScriptedArbiter()
    arbiter.refusals = [ResourceExhausted("held", retry_after=0.1), Unavailable("away")]
    held = await claimed(arbiter)
    assert held.token == 7


async def test_a_claim_gives_up_typed() -> None:
    arbiter = ScriptedArbiter()
    arbiter.refusals = [ResourceExhausted("held by another", retry_after=0.1)] * 100
    with pytest.raises(DeadlineExceeded, match="held by another") as refused:
        await claimed(arbiter, wait=0.3)
    assert refused.value.reason == "LEASE_NOT_GRANTED"


@pytest.mark.parametrize("error", [FailedPrecondition("no"), PermissionDenied("no")])
async def test_a_refusal_that_waiting_does_not_help_is_passed_on(error: Exception) -> None:
    arbiter = ScriptedArbiter()
    arbiter.refusals = [error]
    with pytest.raises(type(error)):
        await claimed(arbiter)
