"""Bells and flights: how requests within one process wait for each other."""

import asyncio

import pytest

from services.toolforge.bell import Bell
from services.toolforge.flights import Flights


async def test_a_ring_between_listening_and_waiting_is_not_missed() -> None:
    bell = Bell()
    rung, other = bell.listen("a"), bell.listen("b")
    bell.ring("a")
    await asyncio.wait_for(rung.wait(), 1)
    assert not other.is_set()
    assert not bell.listen("a").is_set()


async def test_the_same_key_is_held_by_one_at_a_time() -> None:
    flights, inside = Flights(), 0
    most = 0

    async def fly(key: str) -> None:
        nonlocal inside, most
        async with flights.alone(key):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.001)
            inside -= 1

    await asyncio.gather(*(fly("a") for _ in range(20)))
    assert most == 1
    await asyncio.gather(fly("a"), fly("b"))
    assert most == 2


async def test_a_key_is_free_again_after_a_failure_and_a_cancellation() -> None:
    flights = Flights()
    with pytest.raises(RuntimeError):
        async with flights.alone("a"):
            raise RuntimeError
    async with flights.alone("a"):
        waiting = asyncio.create_task(flights.alone("a").__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with asyncio.timeout(1), flights.alone("a"):
        pass
