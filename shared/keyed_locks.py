"""One lock per name, for as long as somebody holds or waits for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class KeyedLocks:
    """Whoever holds the same key waits, in order; different keys do not meet."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def hold(self, key: str) -> AsyncIterator[None]:
        """Holds a key for the time of the context."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            yield
