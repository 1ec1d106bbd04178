"""Bells: how those who watch wait for what is written."""

import asyncio

from services.toolforge.bell import Bell


async def test_a_ring_between_listening_and_waiting_is_not_missed() -> None:
    bell = Bell()
    rung, other = bell.listen("a"), bell.listen("b")
    bell.ring("a")
    await asyncio.wait_for(rung.wait(), 1)
    assert not other.is_set()
    assert not bell.listen("a").is_set()
