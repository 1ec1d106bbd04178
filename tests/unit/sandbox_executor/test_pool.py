"""The pool's own rules, with sandboxes that are nothing but counters."""

import asyncio
from collections.abc import Callable

import pytest

from services.sandbox_executor.admission import Admission
from services.sandbox_executor.pool import Pool, PoolBounds
from services.sandbox_executor.runtime import RuntimeInfo, Sandbox, Tasks
from shared.errors import BatosError, ResourceExhausted, Unavailable

BOUNDS = PoolBounds(size=2, booting=2)


def places() -> Admission:
    return Admission(running=2, queued=1, sessions=1)


class CountedSandbox:
    requests = reports = stdout = stderr = -1
    helpers = 0

    def __init__(self, number: int) -> None:
        self.id = str(number)
        self.killed = False
        self.destroyed = False
        self.living = True
        self.paused = False

    def alive(self) -> bool:
        return self.living

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def memory_bytes(self) -> int:
        return 0

    async def tasks(self) -> Tasks | None:
        return None

    async def exit_status(self) -> int | None:
        return None

    def kill(self) -> None:
        self.killed = True

    async def destroy(self) -> None:
        assert not self.destroyed
        self.destroyed = True


class CountingRuntime:
    def __init__(self) -> None:
        self.booted: list[CountedSandbox] = []
        self.fault: Exception | None = None
        self.booting = 0
        self.most_booting = 0

    async def probe(self) -> RuntimeInfo:
        return RuntimeInfo("counting", "1", "none")

    async def boot(self) -> Sandbox:
        self.booting += 1
        self.most_booting = max(self.most_booting, self.booting)
        await asyncio.sleep(0.01)
        self.booting -= 1
        if self.fault:
            raise self.fault
        self.booted.append(CountedSandbox(len(self.booted)))
        return self.booted[-1]


class Heard:
    def __init__(self) -> None:
        self.failures: list[BatosError | None] = []

    async def __call__(self, failure: BatosError | None) -> None:
        self.failures.append(failure)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def running(
    runtime: CountingRuntime,
    bounds: PoolBounds = BOUNDS,
    admission: Admission | None = None,
) -> Pool:
    pool = Pool(runtime, bounds, admission or places(), Heard())
    pool.start()
    if not runtime.fault:
        await until(lambda: pool.ready_count == bounds.size)
    return pool


async def test_a_claimed_sandbox_is_replaced_and_never_given_again() -> None:
    runtime, admission = CountingRuntime(), places()
    pool = await running(runtime, admission=admission)
    seen = []
    for _ in range(5):
        async with pool.claim() as claimed:
            seen.append(claimed.sandbox)
            assert claimed.warm
        await until(lambda: pool.ready_count == BOUNDS.size and admission.busy_count == 0)
    assert len(set(map(id, seen))) == 5
    assert all(sandbox.paused and sandbox.destroyed for sandbox in seen)
    await pool.close()
    assert all(sandbox.destroyed for sandbox in runtime.booted)


async def test_a_run_that_is_given_up_is_killed_at_once() -> None:
    pool = await running(CountingRuntime())
    with pytest.raises(ZeroDivisionError):
        async with pool.claim() as claimed:
            raise ZeroDivisionError
    assert claimed.sandbox.killed  # type: ignore[attr-defined]
    await pool.close()


async def test_closing_waits_for_what_has_just_been_used() -> None:
    runtime = CountingRuntime()
    pool = await running(runtime)
    await _claim_and_leave(pool.claim)
    await pool.close()
    assert all(sandbox.destroyed for sandbox in runtime.booted)


async def test_a_dry_pool_boots_on_demand() -> None:
    pool = await running(CountingRuntime(), PoolBounds(size=0, booting=1))
    async with pool.claim() as claimed:
        assert not claimed.warm
    await pool.close()


async def test_a_pool_that_keeps_none_still_tells_whether_it_could() -> None:
    runtime, heard = CountingRuntime(), Heard()
    pool = Pool(runtime, PoolBounds(size=0, booting=1), places(), heard, upkeep_seconds=0.01)
    pool.start()
    await until(lambda: heard.failures == [None])
    await asyncio.sleep(0.05)
    assert [sandbox.destroyed for sandbox in runtime.booted] == [True]
    await pool.close()


async def test_boots_at_once_are_bounded() -> None:
    runtime = CountingRuntime()
    pool = await running(runtime, PoolBounds(size=8, booting=3))
    assert runtime.most_booting == 3
    await pool.close()


async def test_beyond_the_queue_callers_are_refused() -> None:
    admission = places()
    pool = await running(CountingRuntime(), admission=admission)
    async with pool.claim(), pool.claim():
        third = asyncio.create_task(_claim_and_leave(pool.claim))
        await until(lambda: admission.queued_count == 1)
        with pytest.raises(ResourceExhausted) as raised:
            await _claim_and_leave(pool.claim)
        assert raised.value.retry_after
    await third
    await until(lambda: admission.busy_count == 0)
    await pool.close()


@pytest.mark.parametrize("size", [0, 1])
async def test_a_cancelled_waiter_leaves_its_place_and_no_surplus(size: int) -> None:
    runtime, admission = CountingRuntime(), places()
    pool = Pool(runtime, PoolBounds(size=size, booting=1), admission, Heard())
    waiting = asyncio.create_task(_claim_and_leave(pool.claim))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await until(lambda: admission.busy_count == 0 and len(runtime.booted) == 1 + size)
    assert pool.ready_count == size
    await _claim_and_leave(pool.claim)
    await pool.close()
    assert all(sandbox.destroyed for sandbox in runtime.booted)


async def test_a_failed_boot_reaches_the_caller_and_the_health() -> None:
    runtime = CountingRuntime()
    runtime.fault = Unavailable("nothing there")
    heard = Heard()
    pool = Pool(runtime, BOUNDS, places(), heard)
    pool.start()
    with pytest.raises(Unavailable, match="nothing there"):
        await _claim_and_leave(pool.claim)
    assert pool.failure is runtime.fault
    runtime.fault = None
    await _claim_and_leave(pool.claim)
    assert heard.failures[-1] is None
    assert pool.failure is None
    await pool.close()


async def test_an_unforeseen_failure_of_a_boot_is_unavailable() -> None:
    runtime = CountingRuntime()
    runtime.fault = ZeroDivisionError()
    pool = await running(runtime)
    with pytest.raises(Unavailable):
        await _claim_and_leave(pool.claim)
    await pool.close()


async def test_a_sandbox_that_died_while_waiting_is_not_given_out() -> None:
    runtime = CountingRuntime()
    pool = await running(runtime)
    runtime.booted[0].living = runtime.booted[1].living = False
    async with pool.claim() as claimed:
        assert claimed.sandbox.alive()
    await pool.close()
    assert all(sandbox.destroyed for sandbox in runtime.booted)


async def test_idle_sandboxes_sleep_until_they_are_claimed() -> None:
    runtime = CountingRuntime()
    pool = Pool(runtime, BOUNDS, places(), Heard(), upkeep_seconds=0.01)
    pool.start()
    await until(lambda: [sandbox.paused for sandbox in runtime.booted] == [True, True])
    async with pool.claim() as claimed:
        assert claimed.sandbox is runtime.booted[0]
        assert not runtime.booted[0].paused
    await pool.close()


async def _claim_and_leave(claim: Callable[[], object]) -> None:
    async with claim():  # type: ignore[attr-defined]
        await asyncio.sleep(0)
