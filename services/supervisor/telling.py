"""What a task tells while it works, as a stream."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

E = TypeVar("E")


async def told(work: Callable[[Callable[[E], None]], Awaitable[None]]) -> AsyncGenerator[E, None]:
    """Everything that `work` tells, and then its error, if it has one.

    It runs in a task of its own, so that a slow reader delays nobody; closing this early cancels
    it, and waits for its end.
    """
    happenings: asyncio.Queue[E | None] = asyncio.Queue()
    task = asyncio.ensure_future(work(happenings.put_nowait))
    task.add_done_callback(lambda _: happenings.put_nowait(None))
    try:
        while (happening := await happenings.get()) is not None:
            yield happening
        await task
    finally:
        task.cancel()
        await asyncio.wait({task})
