"""The gateway's own database: tokens, and who did what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.gateway import audit, tokens
from shared.sqlite import Database

_FILE = "gateway.sqlite"


@asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[Database]:
    """The database in a directory, which is made where it is not there."""
    database = Database(directory / _FILE, (tokens.MIGRATION, audit.MIGRATION))
    await database.open()
    try:
        yield database
    finally:
        await database.close()
