"""Runs Memory: settings → adapters → servicer → serve."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import grpc
from batos.image.v1 import image_pb2
from batos.image.v1.image_pb2_grpc import add_ImagePartServiceServicer_to_server
from batos.memory.v1 import memory_pb2, memory_pb2_grpc
from threadpoolctl import threadpool_limits

from services.memory import durable_version, image_part
from services.memory.current_table import CurrentTable
from services.memory.held_ids import HeldIds
from services.memory.library import Library
from services.memory.pending_purges import PendingPurges
from services.memory.reembedding import Reembedder
from services.memory.scrapbook import Scrapbook
from services.memory.servicer import MemoryServicer
from services.memory.settings import MemorySettings
from services.memory.shelves import Shelves
from services.memory.upkeep import Upkeep
from services.memory.writer import Writer
from shared import process, server, telemetry
from shared.directory_lock import DirectoryLock
from shared.image import switching
from shared.image.servicer import ImagePartServicer
from shared.ledger import Ledger
from shared.settings import load
from shared.sqlite import Database

_MIGRATIONS = (
    Ledger.MIGRATION,
    PendingPurges.MIGRATION,
    CurrentTable.MIGRATION,
    PendingPurges.IMAGES_MIGRATION,
)


@contextlib.asynccontextmanager
async def assembled(
    settings: MemorySettings,
) -> AsyncIterator[tuple[MemoryServicer, ImagePartServicer]]:
    """The servicers on their real parts; everything is let go of in reverse order."""
    async with contextlib.AsyncExitStack() as stack:
        lock = DirectoryLock(settings.data_dir)
        stack.callback(lock.release)
        switching.finish(settings.data_dir, [image_part.DATABASE], [image_part.TABLES])
        await asyncio.to_thread(durable_version.settle, settings.data_dir / image_part.TABLES)
        database = Database(settings.data_dir / image_part.DATABASE, _MIGRATIONS)
        await database.open()
        stack.push_async_callback(database.close)
        current = CurrentTable(database)
        shelves = Shelves(settings.data_dir / image_part.TABLES, settings.ollama_host)
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
        held = HeldIds(settings.data_dir / image_part.HELD)
        scrapbook = Scrapbook(library, writer, purges, upkeep, held)
        part = ImagePartServicer(image_part.of(settings, database, writer, upkeep, held))
        stack.push_async_callback(part.close)
        yield MemoryServicer(scrapbook, reembedder, database), part


async def main(settings: MemorySettings) -> None:
    """Serves until SIGTERM."""
    async with assembled(settings) as (servicer, part):

        def register(grpc_server: grpc.aio.Server) -> None:
            memory_pb2_grpc.add_MemoryServiceServicer_to_server(servicer, grpc_server)
            add_ImagePartServiceServicer_to_server(part, grpc_server)

        await server.serve(settings, memory_pb2.DESCRIPTOR, register, also=[image_pb2.DESCRIPTOR])


if __name__ == "__main__":
    loaded = load(MemorySettings, "memory")
    # Searches multiply small matrices: waking a second thread takes longer than that.
    threadpool_limits(1, "blas")
    telemetry.start("memory", loaded)
    process.run("memory", main(loaded))
