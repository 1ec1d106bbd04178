"""Runs Memory: settings → adapters → servicer → serve."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from batos.memory.v1 import memory_pb2, memory_pb2_grpc

from services.memory.lancedb_store import LancedbStore
from services.memory.library import Library, Shelf
from services.memory.pending_purges import PendingPurges
from services.memory.scrapbook import Scrapbook
from services.memory.search import Searcher
from services.memory.servicer import MemoryServicer
from services.memory.settings import MemorySettings
from services.memory.upkeep import Upkeep
from services.memory.wordllama_embedder import WordllamaEmbedder
from services.memory.writer import Writer
from shared import logs, process, server
from shared.directory_lock import DirectoryLock
from shared.ledger import Ledger
from shared.settings import load
from shared.sqlite import Database


@contextlib.asynccontextmanager
async def assembled(settings: MemorySettings) -> AsyncIterator[MemoryServicer]:
    """The servicer on its real parts; everything is let go of in reverse order."""
    async with contextlib.AsyncExitStack() as stack:
        lock = DirectoryLock(settings.data_dir)
        stack.callback(lock.release)
        database = Database(
            settings.data_dir / "memory.sqlite", (Ledger.MIGRATION, PendingPurges.MIGRATION)
        )
        await database.open()
        stack.push_async_callback(database.close)
        library = Library(await opened(settings))
        stack.push_async_callback(library.close)
        writer = Writer(library)
        writer.start()
        stack.push_async_callback(writer.close)
        purges = PendingPurges(database)
        upkeep = Upkeep(library, writer, purges, settings.upkeep_seconds)
        upkeep.start()
        stack.push_async_callback(upkeep.close)
        yield MemoryServicer(Scrapbook(library, writer, purges, upkeep), database)


async def opened(settings: MemorySettings) -> Shelf:
    """The table of the settings' embedder, and the embedder."""
    embedder = WordllamaEmbedder(settings.embedder_dimension)
    store = await LancedbStore.open(settings.data_dir / "lance", embedder.identity)
    searcher = await asyncio.to_thread(Searcher, store, embedder)

    async def close() -> None:
        searcher.close()
        await store.close()
        embedder.close()

    return Shelf(store, embedder, searcher, close)


async def main(settings: MemorySettings) -> None:
    """Serves until SIGTERM."""
    async with assembled(settings) as servicer:
        await server.serve(
            settings,
            memory_pb2.DESCRIPTOR,
            lambda grpc_server: memory_pb2_grpc.add_MemoryServiceServicer_to_server(
                servicer, grpc_server
            ),
        )


if __name__ == "__main__":
    loaded = load(MemorySettings, "memory")
    logs.configure("memory", loaded.log_level, loaded.log_format)
    process.run("memory", main(loaded))
