"""Store on LanceDB: one table with its indexes, Lance's own full text."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lancedb.expr import col, lit

from services.memory import lance_catalog, lance_filters, lance_purge, lance_rows
from services.memory.embedder import EmbedderIdentity, Vectors
from services.memory.lance_reads import LanceReads
from services.memory.records import Level, Record
from services.memory.scope import Selection
from services.memory.statistics import Backlog, TableStatistics

_TALLIED = ["namespace", "level", "speaker"]


class LancedbStore(LanceReads):
    """See Store. Make it with `open`."""

    @classmethod
    async def open(
        cls, directory: Path, identity: EmbedderIdentity, table: str = "records"
    ) -> "LancedbStore":
        """Opens a table in a directory, or makes it. See lance_catalog.open_table for errors."""
        store = cls(await lance_catalog.open_table(directory, table, identity), identity)
        await store._prepare()
        return store

    @property
    def identity(self) -> EmbedderIdentity:
        """See Store.identity."""
        return self._identity

    async def close(self) -> None:
        """See Store.close."""
        self._table.raw.close()

    async def append(self, records: Sequence[Record], vectors: Vectors) -> None:
        """See Store.append."""
        if not records:
            await self._table.sync()
            return
        rows = await asyncio.to_thread(lance_rows.to_table, records, vectors, self._identity)
        self._tally.announce(records)
        await self._table.commit(lambda: self._table.raw.add(rows))
        self._tally.added(records)

    async def set_parent(self, namespace: str, soma: str, parent_id: str) -> None:
        """See Store.set_parent."""
        where = lance_filters.of_soma(namespace, soma) & (col("level") == lit(int(Level.EPISODE)))
        await self._update({"parent_id": parent_id}, where)
        self._tally.changed(namespace, [soma])

    async def replace(
        self, records: Sequence[Record], vectors: Vectors, gone: Sequence[str] = ()
    ) -> None:
        """See Store.replace."""
        rows = await asyncio.to_thread(lance_rows.to_table, records, vectors, self._identity)
        change = self._table.raw.merge_insert("id").when_matched_update_all()
        if gone:
            change = change.when_not_matched_by_source_delete(lance_filters.ids_sql(gone))
        await self._table.commit(lambda: change.execute(rows))
        for record in records:
            self._tally.changed(record.namespace, [record.soma, None] if gone else [record.soma])

    async def forget(self, selection: Selection) -> int:
        """See Store.forget."""
        # First, since a retry after a crash between the two finds nothing more to forget.
        await self._orphan(selection)
        where = lance_filters.selected(selection)
        result = await self._table.commit(lambda: self._table.raw.delete(where))
        self._tally.lost(selection.namespace, selection.soma)
        return int(result.num_deleted_rows)

    async def discard(self, ids: Sequence[str]) -> None:
        """See Store.discard."""
        where = col("id").isin(list(ids))
        await self._table.commit(lambda: self._table.raw.delete(where))

    async def statistics(self) -> TableStatistics:
        """See Store.statistics."""
        totals = await self._table.read(self._table.raw.stats)
        return TableStatistics(
            rows=totals["num_rows"],
            fragments=totals["fragment_stats"]["num_fragments"],
            disk_bytes=await asyncio.to_thread(self._table.tree.size),
            indexes=await self._indexes.statistics(),
        )

    async def backlog(self) -> Backlog:
        """See Store.backlog."""
        indexes = await self._indexes.statistics()
        rows = max(index.indexed_rows + index.unindexed_rows for index in indexes)
        return Backlog(rows, max(index.unindexed_rows for index in indexes))

    async def optimize(self) -> None:
        """See Store.optimize."""
        await lance_purge.optimize(self._table)

    async def tend_indexes(self) -> None:
        """See Store.tend_indexes."""
        await self._indexes.tend()

    async def purge(self) -> bool:
        """See Store.purge."""
        return await lance_purge.purge(self._table)

    async def _orphan(self, selection: Selection) -> None:
        """Takes the parent from episodes whose summary goes."""
        if selection.soma is not None:
            return  # which go with it
        found = await self._table.rows(
            lance_filters.selected(selection) & (col("level") == lit(int(Level.SUMMARY))), ["id"]
        )
        below = col("namespace") == lit(selection.namespace)
        below = below & col("parent_id").isin(found["id"].to_pylist())
        if found.num_rows and (await self._table.rows(below, ["id"])).num_rows:
            await self._update({"parent_id": ""}, below)

    async def _update(self, values: Mapping[str, Any], where: Any) -> None:
        await self._table.commit(lambda: self._table.raw.update(values, where=where))

    async def _prepare(self) -> None:
        """Makes missing indexes, syncs what a killed process left, and counts the rows."""
        await self._indexes.prepare()
        await self._table.sync_with_ancestors()
        rows = await self._table.raw.query().select(_TALLIED).to_arrow()
        distinct = await asyncio.to_thread(
            lambda: rows.group_by(_TALLIED).aggregate([([], "count_all")]).to_pylist()
        )
        for row in distinct:
            level = Level(row["level"])
            self._tally.count(row["namespace"], level, row["speaker"], row["count_all"])
