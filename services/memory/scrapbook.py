"""What memory does, without the wire: the Sidekick's Scrapbook."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from services.memory import metrics
from services.memory.batch import Receipt
from services.memory.change import Change
from services.memory.consolidation import Consolidated, Consolidator
from services.memory.forgetter import Forgetter
from services.memory.held_ids import HeldIds
from services.memory.library import Library
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
from services.memory.scope import Position, Selection
from services.memory.statistics import NamespaceCount, TableStatistics
from services.memory.upkeep import Upkeep
from services.memory.writer import Writer
from shared.errors import Internal, InvalidArgument, NotFound


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many rows went, whether none of the selected ones has bytes on disk any more, and the ids
    of the Living Images that still hold any of them.
    """

    count: int
    purged: bool
    images: Sequence[str]


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
        library: Library,
        writer: Writer,
        purges: PendingPurges,
        upkeep: Upkeep,
        held: HeldIds,
    ) -> None:
        self._library = library
        self._writer = writer
        self._purges = purges
        self._upkeep = upkeep
        self._forgetter = Forgetter(library, purges, held)
        self._consolidator = Consolidator(library, writer, self._forgetter)

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
            lambda: self._library.shelf.store.set_parent(draft.namespace, draft.soma, summary_id)
        )
        return await self._made(summary_id)

    async def search(self, query: Query) -> Sequence[Found]:
        """See Searcher.search."""
        check_namespace(query.namespace)
        async with self._library.reading() as shelf:
            found = await shelf.searcher.search(query)
        metrics.search_results.observe(len(found))
        return found

    async def consolidate(
        self, request_id: str, namespace: str, soma: str, text: str
    ) -> tuple[Record, Consolidated]:
        """See Consolidator.consolidate; the summary too."""
        check_namespace(namespace)
        if not soma:
            raise InvalidArgument.of_field("soma", "must not be empty")
        done = await self._consolidator.consolidate(request_id, namespace, soma, text)
        return await self._made(done.summary_id), done

    async def get(self, namespace: str, record_id: str) -> Record:
        """The record with an id; NotFound where the namespace has none."""
        check_namespace(namespace)
        async with self._library.reading() as shelf:
            record = (await shelf.store.fetch([record_id])).get(record_id)
        if record is None or record.namespace != namespace:
            raise NotFound(f"{namespace} has no record {record_id}", reason="RECORD_NOT_FOUND")
        return record

    async def page(
        self, selection: Selection, after: Position | None, limit: int
    ) -> Sequence[Record]:
        """See Store.page."""
        check_namespace(selection.namespace)
        async with self._library.reading() as shelf:
            return await shelf.store.page(selection, after, limit)

    async def update(self, request_id: str, namespace: str, change: Change) -> Record:
        """Changes one record; NotFound where there is none, InvalidArgument for its new values."""
        return await self._writer.alone(lambda: self._update(request_id, namespace, change))

    async def forget(self, request_id: str, selection: Selection) -> Forgotten:
        """Makes records invisible at once; their bytes go with the next purge."""
        check_namespace(selection.namespace)
        if selection.ids is not None and len(selection.ids) > BATCH_LIMIT:
            raise InvalidArgument.of_field("ids", f"must hold at most {BATCH_LIMIT} ids")
        done = await self._writer.alone(lambda: self._forgetter.forget(request_id, selection))
        return Forgotten(done.count, not await self._purges.covers(selection), done.images)

    async def stats(self, namespace: str) -> Stats:
        """Counts of one namespace, or of all where it is empty."""
        async with self._library.reading() as shelf:
            counts = await shelf.store.counts()
            identity = shelf.store.identity
            return Stats(
                [count for count in counts if namespace in ("", count.namespace)],
                identity.name,
                identity.dimension,
                await shelf.store.statistics(),
            )

    async def optimize(self) -> TableStatistics:
        """Does all upkeep that is due; returns what the table is like then."""
        await self._upkeep.run_once()
        async with self._library.reading() as shelf:
            return await shelf.store.statistics()

    async def _update(self, request_id: str, namespace: str, change: Change) -> Record:
        before = await self.get(namespace, change.id)
        after = change.applied(before)
        if after != before:
            await self._forgetter.note(request_id, namespace, [before])
            shelf = self._library.shelf
            await shelf.store.replace([after], await shelf.embedder.embed([after.text]))
        return after

    async def _made(self, summary_id: str) -> Record:
        async with self._library.reading() as shelf:
            record = (await shelf.store.fetch([summary_id])).get(summary_id)
        if record is None:
            raise Internal("the summary was forgotten while it was made", reason="SUMMARY_GONE")
        return record
