import asyncio
import time

import pytest

from services.supervisor.turn_gate import TurnGate
from shared.errors import Unavailable


async def pass_through(gate: TurnGate) -> str:
    async with gate.turn() as on_cpu:
        return "on the CPU" if on_cpu else "passed"


async def test_waiting_turns_pass_when_the_gate_opens():
    gate = TurnGate("queue", queue_limit=8, max_wait=5)
    gate.close(lambda: 30.0)
    turns = [asyncio.create_task(pass_through(gate)) for _ in range(8)]
    await asyncio.sleep(0.05)
    assert not any(turn.done() for turn in turns)
    gate.open()
    assert await asyncio.gather(*turns) == ["passed"] * 8


async def test_a_turn_over_the_queue_is_refused_at_once_with_the_time_to_come_back():
    gate = TurnGate("queue", queue_limit=1, max_wait=5)
    gate.close(lambda: 42.0)
    waiting = asyncio.create_task(pass_through(gate))
    await asyncio.sleep(0)
    with pytest.raises(Unavailable) as refused:
        await pass_through(gate)
    assert (refused.value.reason, refused.value.retry_after) == ("GPU_LEASED", 42.0)
    gate.open()
    assert await waiting == "passed"


async def test_a_turn_that_has_waited_long_enough_keeps_off_the_gpu():
    gate = TurnGate("queue", queue_limit=1, max_wait=0.1)
    gate.close(lambda: -3.0)
    started = time.monotonic()
    assert await pass_through(gate) == "on the CPU"
    assert 0.09 < time.monotonic() - started < 1
    assert await pass_through(gate) == "on the CPU"  # its place in the queue is free again


async def test_the_cpu_policy_has_nobody_wait_and_delays_no_lease():
    gate = TurnGate("cpu", queue_limit=0, max_wait=60)
    gate.close(lambda: 7.0)
    async with gate.turn() as on_cpu:
        assert on_cpu
        assert await gate.drained(0.01)
    gate.open()
    assert await pass_through(gate) == "passed"


async def test_the_reject_policy_has_nobody_wait():
    gate = TurnGate("reject", queue_limit=8, max_wait=60)
    gate.close(lambda: -3.0)
    started = time.monotonic()
    with pytest.raises(Unavailable) as refused:
        await pass_through(gate)
    assert refused.value.retry_after == 1.0
    assert time.monotonic() - started < 0.5


async def test_drained_waits_for_turns_in_flight_and_not_for_waiting_ones():
    gate = TurnGate("queue", queue_limit=8, max_wait=5)
    inside, leave = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with gate.turn():
            inside.set()
            await leave.wait()

    turn = asyncio.create_task(slow())
    await inside.wait()
    gate.close(lambda: 1.0)
    waiting = asyncio.create_task(pass_through(gate))
    assert not await gate.drained(0.05)
    leave.set()
    assert await gate.drained(1)
    assert not waiting.done()
    gate.open()
    await asyncio.gather(turn, waiting)


async def test_a_gate_that_closes_again_keeps_its_waiters():
    gate = TurnGate("queue", queue_limit=1, max_wait=0.3)
    gate.close(lambda: 1.0)
    waiting = asyncio.create_task(pass_through(gate))
    await asyncio.sleep(0.01)
    gate.open()
    gate.close(lambda: 1.0)  # before the waiter had its turn to run
    assert await waiting == "on the CPU"


async def test_a_waiter_that_gives_up_leaves_its_place():
    gate = TurnGate("queue", queue_limit=1, max_wait=5)
    gate.close(lambda: 1.0)
    waiting = asyncio.create_task(pass_through(gate))
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.wait({waiting})
    another = asyncio.create_task(pass_through(gate))
    await asyncio.sleep(0.01)
    gate.open()
    assert await another == "passed"
