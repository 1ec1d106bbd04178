"""Brings groups of batches into the store in two steps: one embeds while another is synced."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.memory import metrics
from services.memory.batch import Batch, Receipt, Row, distinct, placed, receipts, rows_of
from services.memory.embedder import Vector, Vectors
from services.memory.library import Library, Shelf
from services.memory.records import Record
from services.memory.store import Kept, SomaHead, Store
from shared import tracing


@dataclass(frozen=True, slots=True)
class Prepared:
    """A group on its way: what of it was kept already, and the vectors of all else by row id."""

    shelf: Shelf
    batches: Sequence[Batch]
    rows: Sequence[Row]
    kept: Kept
    vectors: Mapping[str, Vector]


class Committer:
    """`prepare` may run beside the `commit` of the group before, and of no other change."""

    def __init__(self, library: Library) -> None:
        self._library = library
        # What the last commit added, which the group that was prepared beside it has not seen.
        # None after one that failed: then nobody knows.
        self._added: Kept | None = Kept()

    async def prepare(self, batches: Sequence[Batch]) -> Prepared:
        """Looks for what is kept already, and embeds the rest."""
        shelf = self._library.shelf
        rows = await asyncio.to_thread(rows_of, batches)  # hashes every text
        kept = await _kept(shelf.store, rows)
        fresh = {
            row.id: row.draft.text
            for row in rows
            if row.id not in kept.ids and (row.draft.level, row.content_hash) not in kept.hashes
        }
        with metrics.embed_seconds.time(), tracing.span("embed", texts=len(fresh)):
            vectors = await shelf.embedder.embed(list(fresh.values()))
        return Prepared(shelf, batches, rows, kept, dict(zip(fresh, vectors, strict=True)))

    async def commit(self, group: Prepared) -> Sequence[Receipt]:
        """Appends what is new; durable when it returns."""
        added, self._added = self._added, None
        if added is None:
            added = await _kept(group.shelf.store, group.rows)
        kept = Kept(group.kept.ids | added.ids, {**group.kept.hashes, **added.hashes})
        fresh = distinct(group.rows, kept)
        records = await _placed(group.shelf.store, fresh)
        # Also with nothing to append: what was kept already may not be synced yet.
        with metrics.commit_seconds.time(), tracing.span("commit", rows=len(records)):
            await group.shelf.store.append(records, _stacked(group, records))
        metrics.committed_rows.inc(len(records))
        self._added = Kept(
            frozenset(row.id for row in fresh),
            {(row.draft.level, row.content_hash): row.id for row in fresh},
        )
        return receipts(group.batches, group.rows)

    def barrier(self) -> None:
        """Forgets the last commit: whatever is prepared from now on sees it in the store."""
        self._added = Kept()


async def _kept(store: Store, rows: Sequence[Row]) -> Kept:
    return await store.kept([row.id for row in rows], [row.content_hash for row in rows])


async def _placed(store: Store, rows: Sequence[Row]) -> list[Record]:
    heads: dict[tuple[str, str], SomaHead] = {}
    for namespace in {row.draft.namespace for row in rows}:
        somas = sorted({row.draft.soma for row in rows if row.draft.namespace == namespace})
        found = await store.heads(namespace, somas)
        heads |= {(namespace, soma): head for soma, head in found.items()}
    return placed(rows, heads)


def _stacked(group: Prepared, records: Sequence[Record]) -> Vectors:
    vectors = np.zeros((len(records), group.shelf.store.identity.dimension), dtype=np.float32)
    for place, record in enumerate(records):
        vectors[place] = group.vectors[record.id]
    return vectors
