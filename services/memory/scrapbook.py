"""What memory does, without the wire: the Sidekick's Scrapbook."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from services.memory.batch import Receipt
from services.memory.pending_purges import PendingPurges
from services.memory.query import Found, Query
from services.memory.records import (
    BATCH_LIMIT,
    Draft,
    Record,
    check_batch,
    check_namespace,
    check_summary,
)
from services.memory.search import Searcher
from services.memory.store import NamespaceCount, Selection, Store, TableStatistics
from services.memory.upkeep import Upkeep
from services.memory.writer import Writer
from shared.errors import Internal, InvalidArgument


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many rows went, and whether none of the selected ones has bytes on disk any more."""

    count: int
    purged: bool


@dataclass(frozen=True, slots=True)
class Stats:
    """What is kept, and how."""

    namespaces: Sequence[NamespaceCount]
    embedder: str
    dimension: int
    table: TableStatistics


class Scrapbook:
    """Keeps records, finds them, forgets them."""

    def __init__(
        self,
        store: Store,
        writer: Writer,
        searcher: Searcher,
        purges: PendingPurges,
        upkeep: Upkeep,
    ) -> None:
        self._store = store
        self._writer = writer
        self._searcher = searcher
        self._purges = purges
        self._upkeep = upkeep

    async def submit(
        self, request_id: str, namespace: str, drafts: Sequence[Draft]
    ) -> asyncio.Future[Receipt]:
        """Accepts a batch for one namespace, all or nothing; the future is done once durable."""
        check_namespace(namespace)
        check_batch(drafts)
        return await self._writer.append(request_id, drafts)

    async def create_summary(self, request_id: str, draft: Draft) -> Record:
        """Keeps one summary and puts the episodes of its Soma under it."""
        check_namespace(draft.namespace)
        check_summary(draft)
        (summary_id,) = (await (await self._writer.append(request_id, [draft]))).ids
        await self._writer.alone(
            lambda: self._store.set_parent(draft.namespace, draft.soma, summary_id)
        )
        record = (await self._store.fetch([summary_id])).get(summary_id)
        if record is None:
            raise Internal("the summary was forgotten while it was made", reason="SUMMARY_GONE")
        return record

    async def search(self, query: Query) -> Sequence[Found]:
        """See Searcher.search."""
        check_namespace(query.namespace)
        return await self._searcher.search(query)

    async def forget(self, request_id: str, selection: Selection) -> Forgotten:
        """Makes records invisible at once; their bytes go with the next purge."""
        check_namespace(selection.namespace)
        if len(selection.ids) > BATCH_LIMIT:
            raise InvalidArgument.of_field("ids", f"must hold at most {BATCH_LIMIT} ids")
        if selection.soma is None and not selection.ids:
            raise InvalidArgument.of_field("selector", "must name ids or a soma")
        count = await self._writer.alone(lambda: self._forget(request_id, selection))
        return Forgotten(count, not await self._purges.covers(selection))

    async def stats(self, namespace: str) -> Stats:
        """Counts of one namespace, or of all where it is empty."""
        counts = await self._store.counts()
        identity = self._store.identity
        return Stats(
            [count for count in counts if namespace in ("", count.namespace)],
            identity.name,
            identity.dimension,
            await self._store.statistics(),
        )

    async def optimize(self) -> TableStatistics:
        """Does all upkeep that is due; returns what the table is like then."""
        await self._upkeep.run_once()
        return await self._store.statistics()

    async def _forget(self, request_id: str, selection: Selection) -> int:
        members = await self._store.members(selection)
        # Noted first: after a crash between the two, the purge has nothing to do, but misses none.
        count = await self._purges.begin(request_id, selection.namespace, members)
        if members:
            await self._store.forget(selection)
        return count
