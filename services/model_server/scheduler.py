"""Which models are in memory, who may use them, and when they go.

All of this runs on the event loop; only loading and freeing happen in threads.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta

import structlog

from services.model_server.errors import BusyError
from services.model_server.loaded_model import FOREVER, Lease, Loaded, Wanted
from services.model_server.runner import Runner
from services.model_server.workers import Workers

log = structlog.get_logger()

_CLAIM_SECONDS = 30.0  # a model whose requester went away while it loaded stays this long


class Scheduler:
    """Loads on demand, evicts the idle model unused for longest, bounds all that waits.

    `waiting` is how many requests wait for a model.
    """

    def __init__(self, workers: Workers, parallel: int, max_loaded: int, max_queue: int) -> None:
        self._workers = workers
        self._parallel, self._max_loaded, self._max_queue = parallel, max_loaded, max_queue
        self._loaded: dict[tuple[str, bool], Loaded] = {}
        self._lines: dict[tuple[str, bool], list[object]] = {}
        self._changed = asyncio.Condition()
        self.waiting = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def acquire(self, wanted: Wanted, keep_alive: float) -> Lease:
        """Wait for the model; BusyError where too many wait, LoadError where it cannot load.

        `keep_alive` is in seconds and counts from the answer's end.
        """
        if self.waiting >= self._max_queue:
            raise BusyError
        started = time.monotonic_ns()
        self.waiting += 1
        try:
            loaded = await self._claim(wanted, keep_alive)
        finally:
            self.waiting -= 1
        assert loaded.runner is not None
        waited = time.monotonic_ns() - started
        return Lease(loaded.runner, waited, lambda: self._give_back(loaded, keep_alive))

    async def unload(self, name: str) -> None:
        """Free a tag's models: at once where idle, else after the last answer in flight."""
        async with self._changed:
            for loaded in self._of(name):
                loaded.leave_when_idle = loaded.users > 0
                self._free(loaded)
            await self._changed.wait_for(lambda: not any(x.leaving for x in self._of(name)))

    def loaded(self) -> list[Loaded]:
        """The models in memory, the first to expire first."""
        ready = [loaded for loaded in self._loaded.values() if loaded.runner]
        return sorted(ready, key=lambda loaded: loaded.expires_at)

    async def close(self) -> None:
        """Free every idle model and forget the others."""
        for loaded in list(self._loaded.values()):
            self._free(loaded)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)

    def _of(self, name: str) -> list[Loaded]:
        return [loaded for (tag, _), loaded in self._loaded.items() if tag == name]

    async def _claim(self, wanted: Wanted, keep_alive: float) -> Loaded:
        """First come, first served among those who want the same model."""
        line = self._lines.setdefault(wanted.key, [])
        ticket = object()
        line.append(ticket)
        try:
            return await self._wait_in_line(wanted, keep_alive, lambda: line[0] is ticket)
        finally:
            line.remove(ticket)
            if not line:
                del self._lines[wanted.key]
            self._spawn(self._notify())

    async def _wait_in_line(
        self, wanted: Wanted, keep_alive: float, is_first: Callable[[], bool]
    ) -> Loaded:
        mine: Loaded | None = None
        async with self._changed:
            while True:
                if mine and mine.error:
                    raise mine.error
                found = self._loaded.get(wanted.key)
                if not is_first() or (found and found.leaving):
                    pass
                elif found is None:
                    mine = self._make_room(wanted, keep_alive)
                elif found.wanted.signature != wanted.signature:
                    self._free(found)
                elif found.runner and found.users < self._parallel:
                    return self._take(found)
                await self._changed.wait()

    def _take(self, loaded: Loaded) -> Loaded:
        loaded.users += 1
        if loaded.timer:
            loaded.timer.cancel()
        return loaded

    def _make_room(self, wanted: Wanted, keep_alive: float) -> Loaded | None:
        """Begin to load, or to free another model; None where one must wait."""
        if len(self._loaded) < self._max_loaded:
            loaded = self._loaded[wanted.key] = Loaded(wanted, keep_alive)
            self._spawn(self._load(loaded))
            return loaded
        idle = [loaded for loaded in self._loaded.values() if loaded.idle]
        if idle and not any(loaded.leaving for loaded in self._loaded.values()):
            self._free(min(idle, key=lambda loaded: loaded.used_at))
        return None

    async def _load(self, loaded: Loaded) -> None:
        name, spec = str(loaded.wanted.model.name), loaded.wanted.spec
        try:
            loaded.runner = await self._workers.run(Runner, spec)
            log.info("model_loaded", model=name, context=spec.context, embedding=spec.embedding)
            loaded.used_at = time.monotonic()
            self._expire_after(loaded, max(loaded.keep_alive, _CLAIM_SECONDS))
        except Exception as error:
            log.warning("model_not_loaded", model=name, error=str(error))
            loaded.error = error
            del self._loaded[loaded.wanted.key]
        await self._notify()

    def _give_back(self, loaded: Loaded, keep_alive: float) -> None:
        loaded.users -= 1
        loaded.used_at = time.monotonic()
        if loaded.users == 0:
            if loaded.leave_when_idle or keep_alive <= 0:
                self._free(loaded)
            else:
                self._expire_after(loaded, keep_alive)
        self._spawn(self._notify())

    def _expire_after(self, loaded: Loaded, keep_alive: float) -> None:
        if loaded.timer:
            loaded.timer.cancel()
        latest = (FOREVER - datetime.now(UTC)).total_seconds()
        if math.isinf(keep_alive) or keep_alive >= latest:
            loaded.expires_at, loaded.timer = FOREVER, None
            return
        loaded.expires_at = datetime.now(UTC) + timedelta(seconds=keep_alive)
        loop = asyncio.get_running_loop()
        loaded.timer = loop.call_later(keep_alive, self._free, loaded)

    def _free(self, loaded: Loaded) -> None:
        """Begin to free an idle model; one in use goes when its last answer ends."""
        if loaded.timer:
            loaded.timer.cancel()
        if loaded.idle:
            loaded.leaving = True
            self._spawn(self._close(loaded))

    async def _close(self, loaded: Loaded) -> None:
        runner, loaded.runner = loaded.runner, None
        if runner:
            await self._workers.run(runner.close)
        del self._loaded[loaded.wanted.key]
        log.info("model_unloaded", model=str(loaded.wanted.model.name))
        await self._notify()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
