"""The Lance tables of a directory."""

from pathlib import Path

import lancedb

from services.memory import lance_rows
from services.memory.embedder import EmbedderIdentity
from services.memory.lance_table import LanceTable
from services.memory.synced_tree import SyncedTree
from shared.errors import FailedPrecondition


async def open_table(directory: Path, name: str, identity: EmbedderIdentity) -> LanceTable:
    """Opens a table, or makes it.

    Raises FailedPrecondition (EMBEDDER_MISMATCH) where another embedder made its vectors.
    """
    if stored := await stored_identity(directory, name):
        _check(stored, identity)
    database = await lancedb.connect_async(directory)
    schema = lance_rows.schema(identity)
    raw = await database.create_table(name, schema=schema, exist_ok=True)
    return LanceTable(raw, SyncedTree(directory / f"{name}.lance"))


async def stored_identity(directory: Path, name: str) -> EmbedderIdentity | None:
    """Who made the vectors of a table; None where there is no such table."""
    database = await lancedb.connect_async(directory)
    if name not in (await database.list_tables()).tables:
        return None
    return lance_rows.identity_of(await (await database.open_table(name)).schema())


async def drop_others(directory: Path, name: str) -> None:
    """Removes all tables but one."""
    database = await lancedb.connect_async(directory)
    for other in (await database.list_tables()).tables:
        if other != name:
            await database.drop_table(other)


def _check(stored: EmbedderIdentity, wanted: EmbedderIdentity) -> None:
    if stored != wanted:
        raise FailedPrecondition(
            f"the memories were embedded by {stored.name} ({stored.dimension} dimensions) and "
            f"cannot be searched with {wanted.name} ({wanted.dimension}); set the embedder to "
            f"{stored.name}, or to none, and move over with Reembed",
            reason="EMBEDDER_MISMATCH",
            metadata={"stored": stored.name, "wanted": wanted.name},
        )
