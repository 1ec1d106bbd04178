"""The sandbox service without its transport: one fresh sandbox per job."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from services.sandbox_executor.job import Ended, Job
from services.sandbox_executor.pool import Pool, PoolBounds
from services.sandbox_executor.run import Run
from services.sandbox_executor.runtime import Runtime, RuntimeInfo
from shared.errors import BatosError

# Says whether runs are possible, and if not, why.
HealthListener = Callable[[bool, str], Awaitable[None]]

_UNKNOWN = RuntimeInfo(name="", version="", isolation="")


@dataclass(frozen=True)
class Capacity:
    """A replica and how busy it is. `unavailable_reason` is empty where all is well."""

    replica_id: str
    runtime: RuntimeInfo
    ready_count: int
    busy_count: int
    queued_count: int
    unavailable_reason: str


class Executor:
    """Runs jobs, each in a sandbox of its own."""

    def __init__(self, runtime: Runtime, bounds: PoolBounds, replica_id: str) -> None:
        self._runtime = runtime
        self._pool = Pool(runtime, bounds, self._booted)
        self._info = _UNKNOWN
        self._replica_id = replica_id
        self._listener: HealthListener | None = None

    async def start(self, listener: HealthListener | None = None) -> None:
        """Boots ahead from now on; `listener` hears whether runs are possible, now and later."""
        self._listener = listener
        self._pool.start()

    async def close(self) -> None:
        """Destroys all sandboxes; no job may be running."""
        await self._pool.close()

    async def execute(self, job: Job) -> Ended:
        """Runs a job; its sandbox is gone afterwards, also where this is cancelled.

        Raises ResourceExhausted or Unavailable where nothing was run.
        """
        async with self._pool.claim() as claimed:
            return await Run(claimed.sandbox, job, warm=claimed.warm).finish()

    def capacity(self) -> Capacity:
        """This replica now."""
        pool = self._pool
        away = pool.failure is not None and pool.ready_count == 0
        return Capacity(
            replica_id=self._replica_id,
            runtime=self._info,
            ready_count=pool.ready_count,
            busy_count=pool.busy_count,
            queued_count=pool.queued_count,
            unavailable_reason=str(pool.failure) if away else "",
        )

    async def _booted(self, failure: BatosError | None) -> None:
        """Hears of every boot."""
        if failure is None and self._info is _UNKNOWN:
            self._info = await self._runtime.probe()
        if self._listener:
            await self._listener(failure is None, str(failure or ""))
