"""Sandboxes booted ahead, each given out once."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from services.sandbox_executor import metrics
from services.sandbox_executor.admission import Admission
from services.sandbox_executor.runtime import Runtime, Sandbox
from shared import tracing
from shared.errors import BatosError, Unavailable

_log = structlog.get_logger()

# A boot takes a whole core for a while: most runs are over before it begins.
_REFILL_SECONDS = 0.03
# So does an end; the answer goes out first.
_LINGER_SECONDS = 0.03


@dataclass(frozen=True)
class PoolBounds:
    """`size` sandboxes wait booted, and `booting` boot at once."""

    size: int
    booting: int


@dataclass(frozen=True)
class Claimed:
    """A sandbox for one run. `warm` where it was booted before it was asked for."""

    sandbox: Sandbox
    warm: bool


class Pool:
    """Keeps sandboxes ready, and boots the next one as soon as one is claimed.

    `failure` is why the last boot failed, None once one has worked. `notify` hears of both.
    """

    def __init__(
        self,
        runtime: Runtime,
        bounds: PoolBounds,
        admission: Admission,
        notify: Callable[[BatosError | None], Awaitable[None]],
        upkeep_seconds: float = 5.0,
    ) -> None:
        self._runtime = runtime
        self._bounds = bounds
        self._admission = admission
        self._notify = notify
        self._upkeep_seconds = upkeep_seconds
        self._ready: deque[Sandbox] = deque()
        self._waiters: deque[asyncio.Future[Sandbox]] = deque()
        self._boots: set[asyncio.Task[None]] = set()
        self._coming = 0
        self._boot_slots = asyncio.Semaphore(bounds.booting)
        self._lingering: dict[Sandbox, asyncio.TimerHandle] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self._upkeep: asyncio.Task[None] | None = None
        self._closed = False
        self._proved = False
        self.failure: BatosError | None = None

    @property
    def ready_count(self) -> int:
        """Sandboxes booted and waiting."""
        return len(self._ready)

    def start(self) -> None:
        """Boots ahead from now on."""
        self._upkeep = asyncio.create_task(self._keep_up())

    async def close(self) -> None:
        """Destroys every sandbox and waits until they are gone. No claim may be held any more."""
        self._closed = True
        if self._upkeep:
            self._upkeep.cancel()
        while self._waiters:
            self._refuse(Unavailable("the sandbox executor is shutting down"))
        await asyncio.gather(*self._boots)
        while self._ready:
            self._retire(self._ready.popleft())
        while self._lingering:
            self._end(next(iter(self._lingering)))
        await asyncio.gather(*self._retiring)

    @asynccontextmanager
    async def claim(self) -> AsyncIterator[Claimed]:
        """A sandbox for one run; it is stopped on the way out and destroyed in the background.

        Raises ResourceExhausted where too many wait already, and Unavailable where none boots.
        Nothing has run then.
        """
        began = time.perf_counter()
        with tracing.span("claim"):
            claimed = await self._admitted()
        metrics.claims.labels(str(claimed.warm).lower()).inc()
        metrics.claim_seconds.observe(time.perf_counter() - began)
        try:
            yield claimed
        except BaseException:
            claimed.sandbox.kill()
            raise
        finally:
            self._let_go(claimed.sandbox)

    async def _admitted(self) -> Claimed:
        await self._admission.enter()
        try:
            return await self._take()
        except BaseException:
            self._admission.leave()
            raise

    async def _take(self) -> Claimed:
        while self._ready:
            sandbox = self._ready.popleft()
            if sandbox.alive():
                sandbox.resume()
                asyncio.get_running_loop().call_later(_REFILL_SECONDS, self._top_up)
                return Claimed(sandbox, warm=True)
            self._retire(sandbox)
        waiter: asyncio.Future[Sandbox] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self._top_up()
        try:
            return Claimed(await waiter, warm=False)
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and not waiter.exception():
                self._give(waiter.result())
            raise

    def _top_up(self) -> None:
        if self._closed:
            return
        wanted = self._bounds.size + len(self._waiters) - len(self._ready) - self._coming
        if not self._proved:  # where none is kept, one boot tells whether there can be any
            wanted = max(wanted, 1 - self._coming)
        for _ in range(wanted):
            self._coming += 1
            boot = asyncio.create_task(self._boot())
            self._boots.add(boot)
            boot.add_done_callback(self._boots.discard)

    async def _boot(self) -> None:
        try:
            sandbox = await self._boot_in_turn()
        except BatosError as error:
            self.failure = error
            self._refuse(error)
        else:
            self.failure = None
            self._proved = True
            self._give(sandbox)
        await self._notify(self.failure)

    async def _boot_in_turn(self) -> Sandbox:
        try:
            async with self._boot_slots:
                return await self._boot_twice()
        except BatosError:
            raise
        except Exception as error:
            _log.exception("a boot failed in an unforeseen way")
            raise Unavailable(f"a sandbox did not boot: {type(error).__name__}: {error}") from error
        finally:
            self._coming -= 1

    async def _boot_twice(self) -> Sandbox:
        """One boot may fail by accident; where waiting is no remedy, trying again is none."""
        try:
            return await self._timed_boot()
        except Unavailable as error:
            if error.retry_after is None or self._closed:
                raise
            _log.warning("a boot failed and is tried again", error=error.message)
            return await self._timed_boot()

    async def _timed_boot(self) -> Sandbox:
        began = time.perf_counter()
        try:
            sandbox = await self._runtime.boot()
        except BatosError:
            metrics.boot_failures.inc()
            raise
        metrics.boot_seconds.observe(time.perf_counter() - began)
        return sandbox

    def _give(self, sandbox: Sandbox) -> None:
        """To whoever has waited longest, or to the ready ones, unless those are enough already."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(sandbox)
                return
        if len(self._ready) < self._bounds.size and not self._closed:
            self._ready.append(sandbox)
        else:
            self._retire(sandbox)

    def _refuse(self, error: BatosError) -> None:
        """Tells whoever has waited longest that there is nothing to be had."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(error)
                return

    def _retire(self, sandbox: Sandbox, then: Callable[[], None] = lambda: None) -> None:
        task = asyncio.create_task(_destroy(sandbox, then))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    def _let_go(self, sandbox: Sandbox) -> None:
        """Ends a used sandbox: soon, or at once where somebody waits for its place."""
        sandbox.pause()
        wait = 0 if self._closed or self._admission.queued_count else _LINGER_SECONDS
        timer = asyncio.get_running_loop().call_later(wait, self._end, sandbox)
        self._lingering[sandbox] = timer

    def _end(self, sandbox: Sandbox) -> None:
        self._lingering.pop(sandbox).cancel()
        self._retire(sandbox, self._admission.leave)

    async def _keep_up(self) -> None:
        """Replaces sandboxes that died while they waited, tries again where boots failed, and puts
        those to sleep that nobody has asked for since the last time."""
        while True:
            for sandbox in [each for each in self._ready if not each.alive()]:
                self._ready.remove(sandbox)
                self._retire(sandbox)
            for sandbox in self._ready:
                sandbox.pause()
            self._top_up()
            await asyncio.sleep(self._upkeep_seconds)


async def _destroy(sandbox: Sandbox, then: Callable[[], None]) -> None:
    try:
        await sandbox.destroy()
    except OSError:
        _log.exception("a sandbox left something behind", sandbox=sandbox.id)
    finally:
        then()
