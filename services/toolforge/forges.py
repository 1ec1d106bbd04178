"""All forges of this process: starts them, lets them be watched, stops them, resumes them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from services.toolforge import metrics
from services.toolforge.bell import Bell
from services.toolforge.forge import Event, Forge
from services.toolforge.forge_store import ForgeStore
from services.toolforge.forging import Forging
from services.toolforge.registry import Companion
from shared.errors import ResourceExhausted
from shared.interceptors.deadline import detached

_WATCH_POLL_SECONDS = 2.0  # in case a ring was lost; rings are the rule


class Forges:
    """Runs at most `width` forges at once; at most `queue_limit` wait for their turn."""

    def __init__(
        self, store: ForgeStore, forging: Forging, bell: Bell, width: int, queue_limit: int
    ) -> None:
        self._store = store
        self._forging = forging
        self._bell = bell
        self._turn = asyncio.Semaphore(width)
        self._capacity = width + queue_limit
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def resume(self) -> None:
        """Goes on with what a former process left unfinished."""
        for forge_id in await self._store.unfinished():
            self._spawn(forge_id)

    async def start(self, forge: Forge, also: Companion) -> None:
        """Keeps a new forge together with `also`, and begins it.

        Raises ResourceExhausted where too many are waiting; nothing is kept then.
        """
        if len(self._tasks) >= self._capacity:
            raise ResourceExhausted(
                f"{len(self._tasks)} forges are under way or waiting", retry_after=5.0
            )
        await self._store.create(forge, also)
        if not forge.state.ended:
            self._spawn(forge.id)

    async def cancel(self, forge_id: str, also: Companion) -> Forge:
        """Stops a forge; one that has ended stays as it is."""
        await self._store.cancel(forge_id, also)
        if task := self._tasks.get(forge_id):
            task.cancel()
        return await self._store.get(forge_id)

    async def watch(self, forge_id: str, after: int) -> AsyncIterator[Event]:
        """The events with a sequence above `after`, none left out, until the forge has ended."""
        await self._store.get(forge_id)
        while True:
            rung = self._bell.listen(forge_id)
            events = await self._store.events(forge_id, after)
            for event in events:
                yield event
            after = events[-1].sequence if events else after
            if await self._nothing_more(forge_id, after):
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(rung.wait(), _WATCH_POLL_SECONDS)

    async def close(self) -> None:
        """Stops working; unfinished forges stay as they are and are resumed by the next start."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _nothing_more(self, forge_id: str, after: int) -> bool:
        forge = await self._store.get(forge_id)
        return forge.state.ended and not await self._store.events(forge_id, after)

    def _spawn(self, forge_id: str) -> None:
        name, context = f"forges/{forge_id}", detached()  # it goes on after the call that began it
        task = asyncio.create_task(self._run(forge_id), name=name, context=context)
        self._tasks[forge_id] = task
        metrics.under_way.inc()
        task.add_done_callback(lambda _: self._ended(forge_id))

    def _ended(self, forge_id: str) -> None:
        self._tasks.pop(forge_id, None)
        metrics.under_way.dec()

    async def _run(self, forge_id: str) -> None:
        async with self._turn:
            await self._forging.run(forge_id)
