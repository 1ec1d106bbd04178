import asyncio

import pytest

from shared.keyed_locks import KeyedLocks


async def test_the_same_key_is_held_by_one_at_a_time() -> None:
    locks, inside = KeyedLocks(), 0
    most = 0

    async def enter(key: str) -> None:
        nonlocal inside, most
        async with locks.hold(key):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.001)
            inside -= 1

    await asyncio.gather(*(enter("a") for _ in range(20)))
    assert most == 1
    await asyncio.gather(enter("a"), enter("b"))
    assert most == 2


async def test_a_key_is_free_again_after_a_failure_and_a_cancellation() -> None:
    locks = KeyedLocks()
    with pytest.raises(RuntimeError):
        async with locks.hold("a"):
            raise RuntimeError
    async with locks.hold("a"):
        waiting = asyncio.create_task(locks.hold("a").__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with asyncio.timeout(1), locks.hold("a"):
        pass
