"""Memory's part of a Living Image: the Lance tables, as they are on disk, and the database."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from services.memory import lance_catalog
from services.memory.current_table import CurrentTable
from services.memory.held_ids import HeldIds
from services.memory.settings import MemorySettings
from services.memory.upkeep import Upkeep
from services.memory.writer import Writer
from shared.errors import DataLoss, FailedPrecondition
from shared.image.part import Model, Part
from shared.sqlite import Database

DATABASE = "memory.sqlite"
TABLES = "lance"
HELD = "held-by-images"


def of(
    settings: MemorySettings, database: Database, writer: Writer, upkeep: Upkeep, held: HeldIds
) -> Part:
    """The part of this Memory."""

    @asynccontextmanager
    async def quiet() -> AsyncIterator[None]:
        # Upkeep writes beside the writer, and removes files that nobody reads any more.
        async with upkeep.running, writer.held(), database.held():
            yield

    async def prepare(staged: Path) -> Sequence[Model]:
        await _check_embedder(staged, database, settings.embedder)
        return ()

    return Part(
        data_dir=settings.data_dir,
        databases={DATABASE: database},
        quiet=quiet,
        folders=(TABLES,),
        trees=lambda _: [(TABLES, settings.data_dir / TABLES)],
        prepare=prepare,
        note=lambda image, cut: held.note(image, cut / TABLES),
        retain=held.retain,
    )


async def _check_embedder(staged: Path, live: Database, wanted: str) -> None:
    """DataLoss without the table in use; FailedPrecondition where its embedder is not `wanted`."""
    copy = live.copied(staged / DATABASE)
    await copy.open()
    try:
        table = await CurrentTable(copy).name()
    finally:
        await copy.close()
    identity = await lance_catalog.stored_identity(staged / TABLES, table)
    if identity is None:
        raise DataLoss(f"{TABLES}/{table}.lance is missing")
    if wanted and identity.name != wanted:
        raise FailedPrecondition(
            f"the image's memories were embedded by {identity.name}, and BATOS_MEMORY_EMBEDDER is "
            f"{wanted}; unset it, load, and move over with Reembed",
            reason="EMBEDDER_MISMATCH",
        )
