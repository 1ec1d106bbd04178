"""A run as a stream of events: what it prints, signs of life, and its end."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias

from services.sandbox_executor.job import Ended
from services.sandbox_executor.output import Listener, Printed

_SILENCE_SECONDS = 2.0


@dataclass(frozen=True)
class Heartbeat:
    """Nothing was printed for a while, and all is well."""

    elapsed_seconds: float


Event: TypeAlias = Printed | Heartbeat | Ended
Start: TypeAlias = Callable[[Listener], Coroutine[Any, Any, Ended]]


async def follow(start: Start) -> AsyncGenerator[Event, None]:
    """Starts a run and yields its events, Ended last; closing it early cancels the run.

    What waits for a slow reader is bounded by the output that the run is allowed.
    """
    begun = time.monotonic()
    printed: asyncio.Queue[Printed | None] = asyncio.Queue()
    run = asyncio.create_task(start(printed.put_nowait))
    run.add_done_callback(lambda _: printed.put_nowait(None))
    try:
        while True:
            try:
                async with asyncio.timeout(_SILENCE_SECONDS):
                    event = await printed.get()
            except TimeoutError:
                yield Heartbeat(time.monotonic() - begun)
                continue
            if event is None:
                break
            yield event
        yield await run
    finally:
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
