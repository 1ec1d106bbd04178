"""Runs Memory: settings → adapters → servicer → serve."""

import contextlib
from collections.abc import AsyncIterator

from batos.memory.v1 import memory_pb2, memory_pb2_grpc

from services.memory.current_table import CurrentTable
from services.memory.library import Library
from services.memory.pending_purges import PendingPurges
from services.memory.reembedding import Reembedder
from services.memory.scrapbook import Scrapbook
from services.memory.servicer import MemoryServicer
from services.memory.settings import MemorySettings
from services.memory.shelves import Shelves
from services.memory.upkeep import Upkeep
from services.memory.writer import Writer
from shared import logs, process, server
from shared.directory_lock import DirectoryLock
from shared.ledger import Ledger
from shared.settings import load
from shared.sqlite import Database

_MIGRATIONS = (Ledger.MIGRATION, PendingPurges.MIGRATION, CurrentTable.MIGRATION)


@contextlib.asynccontextmanager
async def assembled(settings: MemorySettings) -> AsyncIterator[MemoryServicer]:
    """The servicer on its real parts; everything is let go of in reverse order."""
    async with contextlib.AsyncExitStack() as stack:
        lock = DirectoryLock(settings.data_dir)
        stack.callback(lock.release)
        database = Database(settings.data_dir / "memory.sqlite", _MIGRATIONS)
        await database.open()
        stack.push_async_callback(database.close)
        current = CurrentTable(database)
        shelves = Shelves(settings.data_dir / "lance", settings.ollama_host)
        library = Library(await shelves.first(await current.name(), settings.embedder))
        stack.push_async_callback(library.close)
        writer = Writer(library)
        writer.start()
        stack.push_async_callback(writer.close)
        purges = PendingPurges(database)

        async def drop_unfinished() -> None:
            await shelves.drop_others(await current.name())

        upkeep = Upkeep(library, writer, purges, drop_unfinished, settings.upkeep_seconds)
        upkeep.start()
        stack.push_async_callback(upkeep.close)
        reembedder = Reembedder(library, shelves, current, writer, upkeep)
        stack.push_async_callback(reembedder.close)
        scrapbook = Scrapbook(library, writer, purges, upkeep)
        yield MemoryServicer(scrapbook, reembedder, database)


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
