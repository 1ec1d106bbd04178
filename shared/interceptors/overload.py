"""Refuses calls over a bound before they begin, so that a flood cannot take the memory."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from shared.errors import ResourceExhausted
from shared.interceptors.around import Context, Layer, is_quiet

_RETRY_SECONDS = 0.5


class Overload(Layer):
    """At most `max_calls` at once, streams included; more are RESOURCE_EXHAUSTED."""

    def __init__(self, max_calls: int) -> None:
        self._max_calls = max_calls
        self._calls = 0

    def around(self, method: str, context: Context) -> AbstractAsyncContextManager[None]:
        """Counts the call."""
        # Whoever watches over us must get an answer most of all when we are busy.
        return nullcontext() if is_quiet(method) else self._counted()

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        if self._calls >= self._max_calls:
            raise ResourceExhausted(
                f"{self._calls} calls are under way, the most that this service takes",
                reason="TOO_MANY_CALLS",
                retry_after=_RETRY_SECONDS,
            )
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1
