"""The table in use: a store, the embedder that makes its vectors, and the searcher over both."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from services.memory.embedder import Embedder
from services.memory.search import Searcher
from services.memory.store import Store


@dataclass(slots=True)
class Shelf:
    """One table and what goes with it; `close` lets go of all three."""

    store: Store
    embedder: Embedder
    searcher: Searcher
    close: Callable[[], Awaitable[None]]
    readers: int = 0
    unread: asyncio.Event = field(default_factory=asyncio.Event)


class Library:
    """Holds the shelf in use. In the writer's turn `shelf` is changed, also for another; reads say
    so by `reading`.
    """

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    async def close(self) -> None:
        """Closes the shelf in use."""
        await self.shelf.close()

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[Shelf]:
        """The shelf in use, which stays open until the reader is done."""
        shelf = self.shelf
        shelf.readers += 1
        try:
            yield shelf
        finally:
            shelf.readers -= 1
            if not shelf.readers:
                shelf.unread.set()

    async def retire(self, old: Shelf) -> None:
        """Closes a shelf that was in use, once nobody reads it."""
        while old.readers:
            old.unread.clear()
            await old.unread.wait()
        await old.close()
