"""Compaction of a Lance table, and the removal of forgotten bytes."""

import asyncio
from datetime import timedelta
from functools import partial

from lancedb.expr import Expr, col, lit

from services.memory.lance_indexes import WORDS_INDEX
from services.memory.lance_table import LanceTable

_ATTEMPTS = 2  # each costs a whole compaction; the caller has a better way


async def optimize(table: LanceTable) -> None:
    """See Store.optimize."""
    # Compacted files are synced before the versions that they replace are pruned.
    for kept in (timedelta(days=7), timedelta(minutes=1)):
        await table.commit(partial(table.raw.optimize, cleanup_older_than=kept), _ATTEMPTS)


async def purge(table: LanceTable) -> bool:
    """See Store.purge.

    Lance rewrites a lone fragment only when a tenth of it is deleted; a second fragment, made
    by touching one row, makes it merge the two. A fragment that is full, of a million rows, is
    merged with no other: there an eighth of all rows is touched, which leaves enough deleted.
    """
    some = await table.raw.query().limit(1).select(["id"]).to_list()
    if some:
        await _touch(table, col("id") == lit(some[0]["id"]))
    if not await _rewritten(table):
        await _touch(table, col("id") < lit("2"))  # ids are hexadecimal, and evenly spread
        return await _rewritten(table)
    return True


async def _touch(table: LanceTable, where: Expr) -> None:
    await table.commit(lambda: table.raw.update(updates_sql={"level": "level"}, where=where))


async def _rewritten(table: LanceTable) -> bool:
    """Compacts, and prunes all older versions; True where no deletion is left."""
    await table.commit(lambda: table.raw.optimize(cleanup_older_than=timedelta(days=7)))
    # Index files keep words too.
    await table.commit(lambda: table.raw.create_index("words", config=WORDS_INDEX, replace=True))
    await table.commit(
        lambda: table.raw.optimize(
            cleanup_older_than=timedelta(milliseconds=1), delete_unverified=True
        )
    )
    return not await asyncio.to_thread(_has_deletions, table)


def _has_deletions(table: LanceTable) -> bool:
    return any((table.tree.root / "_deletions").glob("*"))
