"""The reading half of the store on LanceDB."""

import asyncio
from collections.abc import Mapping, Sequence

from lancedb.expr import col, lit
from lancedb.query import ColumnOrdering

from services.memory import lance_answers, lance_filters, lance_rows
from services.memory.candidates import Candidates, Row, Scored
from services.memory.embedder import EmbedderIdentity, Vector
from services.memory.lance_indexes import LanceIndexes
from services.memory.lance_search import LanceSearch
from services.memory.lance_table import LanceTable
from services.memory.records import Level, Record
from services.memory.scope import Position, Scope, Selection
from services.memory.statistics import NamespaceCount
from services.memory.store import Kept, SomaHead
from services.memory.tally import Tally

_ORDER = ("created_at", "id")


class LanceReads:
    """What can be asked of a table; `LancedbStore` changes it."""

    def __init__(self, table: LanceTable, identity: EmbedderIdentity) -> None:
        self._table = table
        self._identity = identity
        self._tally = Tally()
        self._indexes = LanceIndexes(table)
        self._search = LanceSearch(table, self._indexes, self._tally)

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

    def added_since(self, namespace: str, revision: int) -> Sequence[Record] | None:
        """See Store.added_since."""
        return self._tally.additions.since(namespace, revision)

    def row_count(self, namespace: str) -> int:
        """See Store.row_count."""
        return self._tally.row_count(namespace)

    async def counts(self) -> Sequence[NamespaceCount]:
        """See Store.counts."""
        rows = await self._table.read(
            lambda: self._table.raw.query().select(["namespace", "level"]).to_arrow()
        )
        return await asyncio.to_thread(lance_answers.counts, rows)
