"""The sandbox service without its transport: one fresh sandbox per job, or per session."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial

import structlog

from services.sandbox_executor.admission import Admission
from services.sandbox_executor.events import Event, follow
from services.sandbox_executor.job import Ended, Job
from services.sandbox_executor.memory_budget import MemoryBudget
from services.sandbox_executor.output import Listener
from services.sandbox_executor.pool import Pool, PoolBounds
from services.sandbox_executor.run import Run
from services.sandbox_executor.runtime import Runtime, RuntimeInfo
from services.sandbox_executor.session import Session, SessionBounds
from shared.errors import BatosError

# Says whether runs are possible, and if not, why.
HealthListener = Callable[[bool, str], Awaitable[None]]

_log = structlog.get_logger()

_UNKNOWN = RuntimeInfo(name="", version="", isolation="")


@dataclass(frozen=True)
class Guest:
    """What boots the sandboxes of one profile, and how many wait booted."""

    runtime: Runtime
    bounds: PoolBounds


@dataclass(frozen=True)
class Capacity:
    """A replica and how busy it is. `unavailable_reason` is empty where all is well."""

    replica_id: str
    runtime: RuntimeInfo
    ready_count: int
    busy_count: int
    queued_count: int
    session_count: int
    unavailable_reason: str


class Executor:
    """Runs jobs, each in a sandbox of its own. The first of the `guests` decides on health."""

    def __init__(
        self,
        guests: Mapping[str, Guest],
        admission: Admission,
        budget: MemoryBudget,
        replica_id: str,
    ) -> None:
        self._admission = admission
        self._budget = budget
        self._default = next(iter(guests))
        self._runtime = guests[self._default].runtime
        self._pools = {
            name: Pool(guest.runtime, guest.bounds, admission, partial(self._booted, name))
            for name, guest in guests.items()
        }
        self._info = _UNKNOWN
        self._replica_id = replica_id
        self._listener: HealthListener | None = None

    async def start(self, listener: HealthListener | None = None) -> None:
        """Boots ahead from now on; `listener` hears whether runs are possible, now and later."""
        self._listener = listener
        for pool in self._pools.values():
            pool.start()

    async def close(self) -> None:
        """Destroys all sandboxes; no job may be running."""
        for pool in self._pools.values():
            await pool.close()

    async def execute(self, profile: str, job: Job, listener: Listener | None = None) -> Ended:
        """Runs a job; its sandbox is gone afterwards, also where this is cancelled.

        Raises ResourceExhausted or Unavailable where nothing was run.
        """
        async with self._pools[profile].claim() as claimed:
            run = Run(claimed.sandbox, job, self._budget, warm=claimed.warm, listener=listener)
            return await run.finish()

    def stream(self, profile: str, job: Job) -> AsyncGenerator[Event, None]:
        """Runs a job and yields its events; see `events.follow`. Raises as `execute` does."""
        return follow(lambda listener: self.execute(profile, job, listener))

    @asynccontextmanager
    async def session(self, profile: str, bounds: SessionBounds) -> AsyncIterator[Session]:
        """A sandbox for one caller, destroyed on the way out. Raises as `execute` does."""
        async with self._admission.session(), self._pools[profile].claim() as claimed:
            yield Session(claimed, self._budget, bounds)

    def capacity(self) -> Capacity:
        """This replica now."""
        pool = self._pools[self._default]
        away = pool.failure is not None and pool.ready_count == 0
        return Capacity(
            replica_id=self._replica_id,
            runtime=self._info,
            ready_count=pool.ready_count,
            busy_count=self._admission.busy_count,
            queued_count=self._admission.queued_count,
            session_count=self._admission.session_count,
            unavailable_reason=str(pool.failure) if away else "",
        )

    async def _booted(self, profile: str, failure: BatosError | None) -> None:
        """Hears of every boot."""
        if profile != self._default:
            return
        if failure is None and self._info is _UNKNOWN:
            self._info = await self._runtime.probe()
            _log.info("sandboxes boot", replica=self._replica_id, **asdict(self._info))
        if self._listener:
            await self._listener(failure is None, str(failure or ""))
