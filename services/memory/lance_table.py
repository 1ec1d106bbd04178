"""A Lance table whose commits are retried and synced, and whose reads follow its versions."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pyarrow as pa
from lancedb.expr import Expr

from services.memory.durable_version import DurableVersion
from services.memory.synced_tree import SyncedTree
from shared.errors import Aborted, ResourceExhausted

T = TypeVar("T")

_ATTEMPTS = 6


class LanceTable:
    """`raw` is the table itself (lancedb.AsyncTable), `tree` its files."""

    def __init__(self, raw: Any, tree: SyncedTree) -> None:
        self.raw = raw
        self.tree = tree
        self._durable = DurableVersion(tree.root)

    async def commit(self, change: Callable[[], Awaitable[T]], attempts: int = _ATTEMPTS) -> T:
        """Runs a change until no other commit is in its way, then syncs it.

        Raises Aborted (COMMIT_RACED) after too many attempts, ResourceExhausted (DISK_FULL).
        """
        for attempt in range(attempts):
            try:
                result = await change()
                await self.sync()
                return result
            except (RuntimeError, OSError) as error:
                if _is_disk_full(error):
                    raise ResourceExhausted("the disk is full", reason="DISK_FULL") from error
                if "conflict" not in str(error).lower():
                    raise
                await asyncio.sleep(0.02 * 2**attempt)
        raise Aborted("other commits were in the way of every attempt", reason="COMMIT_RACED")

    async def sync(self) -> None:
        """Makes everything that is visible durable."""
        await asyncio.to_thread(self._sync, self.tree.sync)

    async def sync_with_ancestors(self) -> None:
        """Like `sync`, and the names of the folders above, which may be new as well."""
        await asyncio.to_thread(self._sync, self.tree.sync_with_ancestors)

    def _sync(self, sync: Callable[[], None]) -> None:
        version = self._durable.newest()
        sync()  # what a version consists of is there before it is visible
        self._durable.mark(version)

    async def read(self, query: Callable[[], Awaitable[T]]) -> T:
        """Runs a query; again where its version was pruned under it."""
        for _ in range(_ATTEMPTS):
            try:
                return await query()
            except (RuntimeError, OSError) as error:
                if "not found" not in str(error).lower():
                    raise
                await self.raw.checkout_latest()
        raise Aborted("the table changed under every attempt to read it", reason="READ_RACED")

    async def rows(self, where: Expr, columns: list[str]) -> pa.Table:
        """The columns of the rows that a filter admits."""
        return await self.read(lambda: self.raw.query().where(where).select(columns).to_arrow())


def _is_disk_full(error: Exception) -> bool:
    return "no space left" in str(error).lower()
