"""Threads for what blocks: the disk, and llama.cpp."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Workers:
    """A bounded pool; `size` is the most that runs at once, the rest waits its turn."""

    def __init__(self, size: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(size, thread_name_prefix=name)
        self._running: set[asyncio.Future[object]] = set()

    def start(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Begin a call; it goes on even if nobody awaits its end."""
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._pool, lambda: call(*args, **kwargs))
        self._running.add(future)  # type: ignore[arg-type]
        future.add_done_callback(self._running.discard)
        future.add_done_callback(_mark_seen)
        return future

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Wait for a call; cancelling the wait does not cancel the call."""
        return await asyncio.shield(self.start(call, *args, **kwargs))

    async def stop(self, deadline: float) -> bool:
        """Take no more work; whether all calls had ended by `deadline` (time.monotonic)."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._running:
            await asyncio.wait(self._running, timeout=max(0.0, deadline - time.monotonic()))
        return not self._running


def _mark_seen(future: asyncio.Future[T]) -> None:
    """Whoever asked may be gone; asyncio would complain of a failure that nobody looked at."""
    if not future.cancelled():
        future.exception()
