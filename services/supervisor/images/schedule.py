"""Images by the clock: one every so many hours, of which the newest few are kept."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog

from services.supervisor.images.store import ImageStore
from shared.errors import BatosError

PREFIX = "auto-"
_FIRST_RETRY_SECONDS = 2.0  # at the start the other services may not be there yet
_LONGEST_RETRY_SECONDS = 900.0
_GLANCE_SECONDS = 60.0

_log = structlog.get_logger()


class Schedule:
    """Saves an image once the newest scheduled one is `every` old; keeps `kept` of those.

    Images that people made are never pruned. The clock is the wall's, looked at each minute, so
    that a machine which slept makes up for one image and not for ten.
    """

    def __init__(
        self,
        *,
        store: ImageStore,
        save: Callable[[str], Awaitable[None]],
        failed: Callable[[str], Awaitable[None]],
        pruned: Callable[[], Awaitable[None]],
        every: timedelta,
        kept: int,
    ) -> None:
        self._store = store
        self._save = save
        self._failed = failed
        self._pruned = pruned
        self._every = every
        self._kept = kept

    async def run(self) -> None:
        """Works until cancelled; what fails is tried again after growing pauses."""
        pause = _FIRST_RETRY_SECONDS
        while True:
            due = await asyncio.to_thread(self.due, datetime.now(UTC))
            if due and not await self._saved():
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_RETRY_SECONDS)
                continue
            pause = _FIRST_RETRY_SECONDS
            await asyncio.sleep(_GLANCE_SECONDS)

    def due(self, now: datetime) -> bool:
        """Whether it is time for another image; one from the future does not count."""
        made = [manifest.created for _, manifest in self._store.all() if manifest.created <= now]
        return all(now - created >= self._every for created in made)

    def prune(self) -> None:
        """Removes the scheduled images that are too many, oldest first."""
        scheduled = [name for name, _ in self._store.all() if name.startswith(PREFIX)]
        for name in scheduled[self._kept :]:
            self._store.discard(name)

    async def _saved(self) -> bool:
        try:
            await self._save(f"{PREFIX}{datetime.now(UTC):%Y%m%d-%H%M%S}")
            await asyncio.to_thread(self.prune)
            await self._pruned()
        except BatosError as error:
            _log.warning("no image was saved", error=error.message)
            await self._failed(error.message)
            return False
        return True
