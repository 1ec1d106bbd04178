"""Makes shelves: a Lance table, its embedder by name, and the searcher over both."""

import asyncio
from pathlib import Path

from services.memory import lance_catalog
from services.memory.embedder import Embedder
from services.memory.embedders import DEFAULT, open_embedder
from services.memory.lancedb_store import LancedbStore
from services.memory.library import Shelf
from services.memory.search import Searcher


class Shelves:
    """The tables of one directory."""

    def __init__(self, directory: Path, ollama_host: str) -> None:
        self._directory = directory
        self._ollama_host = ollama_host

    async def embedder(self, name: str) -> Embedder:
        """See open_embedder."""
        return await open_embedder(name, self._ollama_host)

    async def first(self, table: str, embedder: str) -> Shelf:
        """The shelf to start with.

        Without an embedder's name it is the one that made the table, or the built-in one. Raises
        FailedPrecondition (EMBEDDER_MISMATCH) where another one made the table.
        """
        stored = await lance_catalog.stored_identity(self._directory, table)
        made_by = stored.name if stored else DEFAULT
        return await self.shelf(table, await self.embedder(embedder or made_by))

    async def shelf(self, table: str, embedder: Embedder) -> Shelf:
        """The shelf of a table, made where it is missing; on failure closes the embedder."""
        try:
            store = await LancedbStore.open(self._directory, embedder.identity, table)
        except BaseException:
            await embedder.close()
            raise
        searcher = await asyncio.to_thread(Searcher, store, embedder)

        async def close() -> None:
            await searcher.close()
            await store.close()
            await embedder.close()

        return Shelf(store, embedder, searcher, close)

    async def drop_others(self, table: str) -> None:
        """Removes all tables but one, with their bytes."""
        await lance_catalog.drop_others(self._directory, table)
