"""Store on LanceDB: one table with its indexes, Lance's own full text."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lancedb.expr import col, lit
from lancedb.query import ColumnOrdering

from services.memory import lance_answers, lance_catalog, lance_filters, lance_purge, lance_rows
from services.memory.embedder import EmbedderIdentity, Vector, Vectors
from services.memory.lance_indexes import LanceIndexes
from services.memory.lance_search import LanceSearch
from services.memory.lance_table import LanceTable
from services.memory.records import Level, Record
from services.memory.store import (
    Candidates,
    Kept,
    NamespaceCount,
    Position,
    Row,
    Scope,
    Scored,
    Selection,
    SomaHead,
    TableStatistics,
)
from services.memory.tally import Tally

_ORDER = ("created_at", "id")


class LancedbStore:
    """See Store. Make it with `open`."""

    def __init__(self, table: LanceTable, identity: EmbedderIdentity) -> None:
        self._table = table
        self._identity = identity
        self._tally = Tally()
        self._indexes = LanceIndexes(table)
        self._search = LanceSearch(table, self._indexes, self._tally)

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

    async def members(self, selection: Selection) -> Sequence[tuple[str, str]]:
        """See Store.members."""
        rows = await self._table.rows(lance_filters.selected(selection), ["id", "soma"])
        return list(zip(rows["id"].to_pylist(), rows["soma"].to_pylist(), strict=True))

    async def fingerprints(self) -> Mapping[str, bytes]:
        """See Store.fingerprints."""
        query = self._table.raw.query().select(["id", *lance_rows.RECORD_COLUMNS])
        found: dict[str, bytes] = {}
        async for batch in await self._table.read(query.to_batches):
            found |= await asyncio.to_thread(lance_rows.fingerprints, batch)
        return found

    async def discard(self, ids: Sequence[str]) -> None:
        """See Store.discard."""
        where = col("id").isin(list(ids))
        await self._table.commit(lambda: self._table.raw.delete(where))

    async def kept(self, ids: Sequence[str], hashes: Sequence[str]) -> Kept:
        """See Store.kept."""
        if not ids and not hashes:
            return Kept()
        by_id, by_hash = await asyncio.gather(
            self._table.rows(col("id").isin(list(ids)), ["id"]),
            self._table.rows(
                col("content_hash").isin(list(hashes)), ["id", "level", "content_hash"]
            ),
        )
        return Kept(
            frozenset(by_id["id"].to_pylist()),
            {(Level(row["level"]), row["content_hash"]): row["id"] for row in by_hash.to_pylist()},
        )

    async def heads(self, namespace: str, somas: Sequence[str]) -> Mapping[str, SomaHead]:
        """See Store.heads."""
        known = self._tally.heads(namespace, somas)
        if missing := [soma for soma in somas if soma not in known]:
            where = (col("namespace") == lit(namespace)) & col("soma").isin(missing)
            columns = ["soma", "ordinal", "created_at", "level", "id"]
            rows = await self._table.rows(where, columns)
            found = await asyncio.to_thread(lance_answers.heads, rows)
            self._tally.keep_heads(namespace, found)
            known |= found
        return known

    async def candidates(self, scope: Scope, vector: Vector, words: str, limit: int) -> Candidates:
        """See Store.candidates."""
        return await self._search.candidates(scope, vector, words, limit)

    async def nearest(self, scope: Scope, vector: Vector, limit: int) -> Scored:
        """See Store.nearest."""
        return await self._search.nearest(scope, vector, limit)

    async def matching(self, scope: Scope, words: str, limit: int) -> Scored:
        """See Store.matching."""
        return await self._search.matching(scope, words, limit)

    async def fetch(self, ids: Sequence[str]) -> Mapping[str, Record]:
        """See Store.fetch."""
        if not ids:
            return {}
        rows = await self._table.rows(col("id").isin(list(ids)), lance_rows.RECORD_COLUMNS)
        return {record.id: record for record in lance_rows.to_records(rows)}

    async def speakers(self, namespace: str) -> frozenset[str]:
        """See Store.speakers. Those who were forgotten stay listed until the next start."""
        return self._tally.speakers(namespace)

    async def beside(
        self, namespace: str, somas: Sequence[str], ordinals: Sequence[int]
    ) -> Sequence[Row]:
        """See Store.beside."""
        where = lance_filters.beside(namespace, somas, ordinals)
        rows = await self._table.rows(where, lance_rows.LIGHT_COLUMNS)
        return await asyncio.to_thread(lance_rows.to_rows, rows)

    async def sample(self, namespace: str, limit: int) -> Sequence[str]:
        """See Store.sample: the oldest ones."""
        where = lance_filters.in_scope(Scope(namespace, (Level.EPISODE,)))
        query = self._table.raw.query().where(where).select(lance_rows.LIGHT_COLUMNS).limit(limit)
        rows = await asyncio.to_thread(lance_rows.to_rows, await self._table.read(query.to_arrow))
        return [row.text for row in rows]

    async def every(self, selection: Selection) -> Sequence[Record]:
        """See Store.every."""
        where = lance_filters.selected(selection)
        rows = await self._table.rows(where, lance_rows.RECORD_COLUMNS)
        return await asyncio.to_thread(lance_rows.to_records, rows)

    async def page(self, selection: Selection, after: Position | None, limit: int) -> list[Record]:
        """See Store.page."""
        where = lance_filters.selected(selection)
        if after:
            where = where & lance_filters.behind(after)
        query = self._table.raw.query().where(where).select(lance_rows.RECORD_COLUMNS)
        order = [ColumnOrdering(column_name=name) for name in _ORDER]
        # Without the row ids some plans of Lance 0.40 miss the column that they join on.
        query = query.order_by(order).limit(limit).with_row_id()
        return lance_rows.to_records(await self._table.read(query.to_arrow))

    def revision(self, namespace: str, soma: str | None = None) -> int:
        """See Store.revision."""
        return self._tally.revision(namespace, soma)

    def row_count(self, namespace: str) -> int:
        """See Store.row_count."""
        return self._tally.row_count(namespace)

    async def counts(self) -> Sequence[NamespaceCount]:
        """See Store.counts."""
        rows = await self._table.read(
            lambda: self._table.raw.query().select(["namespace", "level"]).to_arrow()
        )
        return await asyncio.to_thread(lance_answers.counts, rows)

    async def statistics(self) -> TableStatistics:
        """See Store.statistics."""
        totals = await self._table.read(self._table.raw.stats)
        return TableStatistics(
            rows=totals["num_rows"],
            fragments=totals["fragment_stats"]["num_fragments"],
            disk_bytes=await asyncio.to_thread(self._table.tree.size),
            indexes=await self._indexes.statistics(),
        )

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
        await asyncio.to_thread(self._table.tree.sync_with_ancestors)
        rows = await self._table.raw.query().select(["namespace", "speaker"]).to_arrow()
        distinct = await asyncio.to_thread(
            lambda: (
                rows.group_by(["namespace", "speaker"]).aggregate([([], "count_all")]).to_pylist()
            )
        )
        for row in distinct:
            self._tally.count(row["namespace"], row["speaker"], row["count_all"])
