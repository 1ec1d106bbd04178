"""Store on LanceDB: one table, exact vector search, Lance's own full text."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import lancedb
import pyarrow as pa
from lancedb.expr import Expr, col, lit
from lancedb.index import FTS, Bitmap, BTree
from lancedb.query import MatchQuery

from services.memory import lance_answers, lance_filters, lance_rows
from services.memory.embedder import EmbedderIdentity, Vector, Vectors
from services.memory.records import Level, Record
from services.memory.store import (
    Candidates,
    Kept,
    NamespaceCount,
    Row,
    Scope,
    Selection,
    SomaHead,
)
from services.memory.synced_tree import SyncedTree
from services.memory.words import indexable
from shared.errors import Aborted, FailedPrecondition, ResourceExhausted

T = TypeVar("T")

_TABLE = "records"
_INDICES = {
    "words": FTS(with_position=False),
    "namespace": Bitmap(),
    "id": BTree(),
    "content_hash": BTree(),
    "soma": BTree(),
    "parent_id": BTree(),
}
_ATTEMPTS = 6
_OPTIMIZE_ATTEMPTS = 2  # each costs a whole compaction; the caller has a better way


class LancedbStore:
    """See Store. Make it with `open`."""

    def __init__(self, table: Any, tree: SyncedTree, identity: EmbedderIdentity) -> None:
        self._table = table
        self._tree = tree
        self._identity = identity
        self._speakers: dict[str, set[str]] = {}
        self._row_counts: Counter[str] = Counter()
        # Changes of one Soma, under None of any; and of rows that may be of any Soma.
        self._revisions: Counter[tuple[str, str | None]] = Counter()
        self._scattered: Counter[str] = Counter()

    @classmethod
    async def open(cls, directory: Path, identity: EmbedderIdentity) -> "LancedbStore":
        """Opens the table in a directory, or makes it.

        Raises FailedPrecondition (EMBEDDER_MISMATCH) where another embedder made its vectors.
        """
        database = await lancedb.connect_async(directory)
        if _TABLE in (await database.list_tables()).tables:
            table = await database.open_table(_TABLE)
            _check(lance_rows.identity_of(await table.schema()), identity)
        else:
            table = await database.create_table(_TABLE, schema=lance_rows.schema(identity))
        tree = SyncedTree(directory / f"{_TABLE}.lance")
        store = cls(table, tree, identity)
        await store._prepare()
        return store

    @property
    def identity(self) -> EmbedderIdentity:
        """See Store.identity."""
        return self._identity

    async def close(self) -> None:
        """See Store.close."""
        self._table.close()

    async def append(self, records: Sequence[Record], vectors: Vectors) -> None:
        """See Store.append."""
        if not records:
            await asyncio.to_thread(self._tree.sync)
            return
        rows = await asyncio.to_thread(lance_rows.to_table, records, vectors, self._identity)
        await self._commit(lambda: self._table.add(rows))
        for record in records:
            self._speakers.setdefault(record.namespace, set()).add(record.speaker)
            self._row_counts[record.namespace] += 1
        for namespace in {record.namespace for record in records}:
            own = [record.soma for record in records if record.namespace == namespace]
            self._changed(namespace, set(own))

    async def set_parent(self, namespace: str, soma: str, parent_id: str) -> None:
        """See Store.set_parent."""
        where = lance_filters.of_soma(namespace, soma) & (col("level") == lit(int(Level.EPISODE)))
        await self._commit(lambda: self._table.update({"parent_id": parent_id}, where=where))
        self._changed(namespace, {soma})

    async def forget(self, selection: Selection) -> int:
        """See Store.forget."""
        # First, since a retry after a crash between the two finds nothing more to forget.
        await self._orphan(selection)
        result = await self._commit(lambda: self._table.delete(lance_filters.selected(selection)))
        self._changed(selection.namespace, {selection.soma})
        return int(result.num_deleted_rows)

    async def members(self, selection: Selection) -> Sequence[tuple[str, str]]:
        """See Store.members."""
        rows = await self._rows(lance_filters.selected(selection), ["id", "soma"])
        return list(zip(rows["id"].to_pylist(), rows["soma"].to_pylist(), strict=True))

    async def kept(self, ids: Sequence[str], hashes: Sequence[str]) -> Kept:
        """See Store.kept."""
        if not ids and not hashes:
            return Kept()
        by_id, by_hash = await asyncio.gather(
            self._rows(col("id").isin(list(ids)), ["id"]),
            self._rows(col("content_hash").isin(list(hashes)), ["id", "level", "content_hash"]),
        )
        return Kept(
            frozenset(by_id["id"].to_pylist()),
            {(Level(row["level"]), row["content_hash"]): row["id"] for row in by_hash.to_pylist()},
        )

    async def heads(self, namespace: str, somas: Sequence[str]) -> Mapping[str, SomaHead]:
        """See Store.heads."""
        where = (col("namespace") == lit(namespace)) & col("soma").isin(list(somas))
        rows = await self._rows(where, ["soma", "ordinal", "created_at", "level", "id"])
        return await asyncio.to_thread(lance_answers.heads, rows)

    async def candidates(self, scope: Scope, vector: Vector, words: str, limit: int) -> Candidates:
        """See Store.candidates."""
        where = lance_filters.in_scope(scope)
        near, matching = await asyncio.gather(
            self._read(lambda: self._near(where, vector, limit)),
            self._read(lambda: self._matching(where, words, limit)),
        )
        return await asyncio.to_thread(lance_answers.merged, near, matching, vector)

    async def fetch(self, ids: Sequence[str]) -> Mapping[str, Record]:
        """See Store.fetch."""
        if not ids:
            return {}
        rows = await self._rows(col("id").isin(list(ids)), lance_rows.RECORD_COLUMNS)
        return {row["id"]: lance_rows.to_record(row) for row in rows.to_pylist()}

    async def speakers(self, namespace: str) -> frozenset[str]:
        """See Store.speakers. Those who were forgotten stay listed until the next start."""
        return frozenset(self._speakers.get(namespace, ()))

    async def beside(
        self, namespace: str, somas: Sequence[str], ordinals: Sequence[int]
    ) -> Sequence[Row]:
        """See Store.beside."""
        where = lance_filters.beside(namespace, somas, ordinals)
        rows = await self._rows(where, lance_answers.LIGHT_COLUMNS)
        return await asyncio.to_thread(lance_answers.light_rows, rows)

    async def sample(self, namespace: str, limit: int) -> Sequence[str]:
        """See Store.sample: the oldest ones."""
        where = lance_filters.in_scope(Scope(namespace, (Level.EPISODE,)))
        query = self._table.query().where(where).select(["text"]).limit(limit)
        rows = await self._read(query.to_arrow)
        texts: list[str] = rows["text"].to_pylist()
        return texts

    async def every(self, namespace: str) -> Sequence[Record]:
        """See Store.every."""
        where = lance_filters.in_scope(Scope(namespace, tuple(Level)))
        rows = await self._rows(where, lance_rows.RECORD_COLUMNS)
        return await asyncio.to_thread(lambda: [*map(lance_rows.to_record, rows.to_pylist())])

    def revision(self, namespace: str, soma: str | None = None) -> int:
        """See Store.revision."""
        changes = self._revisions[namespace, soma]
        return changes + (self._scattered[namespace] if soma is not None else 0)

    def row_count(self, namespace: str) -> int:
        """See Store.row_count."""
        return self._row_counts[namespace]

    async def counts(self) -> Sequence[NamespaceCount]:
        """See Store.counts."""
        rows = await self._read(
            lambda: self._table.query().select(["namespace", "level"]).to_arrow()
        )
        return await asyncio.to_thread(lance_answers.counts, rows)

    async def disk_bytes(self) -> int:
        """See Store.disk_bytes."""
        return await asyncio.to_thread(self._tree.size)

    async def optimize(self) -> None:
        """See Store.optimize."""
        # Compacted files are synced before the versions that they replace are pruned.
        for kept in (timedelta(days=7), timedelta(minutes=5)):
            compact = partial(self._table.optimize, cleanup_older_than=kept)
            await self._commit(compact, _OPTIMIZE_ATTEMPTS)

    async def purge(self) -> bool:
        """See Store.purge.

        Lance rewrites a lone fragment only when a tenth of it is deleted; a second fragment, made
        by touching one row, makes it merge the two. Index files keep words too: they are rebuilt.
        """
        await self._touch_one_row()
        await self._commit(lambda: self._table.optimize(cleanup_older_than=timedelta(days=7)))
        await self._commit(
            lambda: self._table.create_index("words", config=_INDICES["words"], replace=True)
        )
        await self._commit(
            lambda: self._table.optimize(
                cleanup_older_than=timedelta(milliseconds=1), delete_unverified=True
            )
        )
        return not await asyncio.to_thread(self._has_deletions)

    async def _touch_one_row(self) -> None:
        some = await self._table.query().limit(1).select(["id"]).to_list()
        if some:
            same = col("id") == lit(some[0]["id"])
            await self._commit(
                lambda: self._table.update(updates_sql={"level": "level"}, where=same)
            )

    async def _orphan(self, selection: Selection) -> None:
        """Takes the parent from episodes whose summary goes."""
        below = col("namespace") == lit(selection.namespace)
        below = below & col("parent_id").isin(list(selection.ids))
        if selection.ids and (await self._rows(below, ["id"])).num_rows:
            await self._commit(lambda: self._table.update({"parent_id": ""}, where=below))

    def _changed(self, namespace: str, somas: Iterable[str | None]) -> None:
        """Notes it for those who have read rows before; None is whichever Soma."""
        self._revisions[namespace, None] += 1
        for soma in somas:
            if soma is None:
                self._scattered[namespace] += 1
            else:
                self._revisions[namespace, soma] += 1

    def _has_deletions(self) -> bool:
        return any((self._tree.root / "_deletions").glob("*"))

    async def _prepare(self) -> None:
        """Makes missing indices, syncs what a killed process left, and learns the speakers."""
        present = {index.columns[0] for index in await self._table.list_indices()}
        for column, config in _INDICES.items():
            if column not in present:
                await self._table.create_index(column, config=config)
        await asyncio.to_thread(self._tree.sync_with_ancestors)
        rows = await self._table.query().select(["namespace", "speaker"]).to_arrow()
        distinct = await asyncio.to_thread(
            lambda: (
                rows.group_by(["namespace", "speaker"]).aggregate([([], "count_all")]).to_pylist()
            )
        )
        for row in distinct:
            self._speakers.setdefault(row["namespace"], set()).add(row["speaker"])
            self._row_counts[row["namespace"]] += row["count_all"]

    async def _commit(self, change: Callable[[], Awaitable[T]], attempts: int = _ATTEMPTS) -> T:
        """Runs a change until no other commit is in its way, then syncs it."""
        result = await _without_conflict(change, attempts)
        await asyncio.to_thread(self._tree.sync)
        return result

    async def _read(self, query: Callable[[], Awaitable[T]]) -> T:
        """Runs a query; again where its version was pruned under it."""
        for _ in range(_ATTEMPTS):
            try:
                return await query()
            except (RuntimeError, OSError) as error:
                if "not found" not in str(error).lower():
                    raise
                await self._table.checkout_latest()
        raise Aborted("the table changed under every attempt to read it", reason="READ_RACED")

    async def _rows(self, where: Expr, columns: list[str]) -> pa.Table:
        return await self._read(lambda: self._table.query().where(where).select(columns).to_arrow())

    async def _near(self, where: Expr, vector: Vector, limit: int) -> pa.Table:
        # Unit vectors: dot orders like cosine, and stays defined for a vector of zeros.
        query = self._table.query().nearest_to(vector).column("vector").distance_type("dot")
        return (
            await query.where(where)
            .select([*lance_answers.LIGHT_COLUMNS, "_distance"])
            .limit(limit)
            .to_arrow()
        )

    async def _matching(self, where: Expr, words: str, limit: int) -> pa.Table:
        query = self._table.query().nearest_to_text(MatchQuery(indexable(words), "words"))
        return (
            await query.where(where)
            .select([*lance_answers.LIGHT_COLUMNS, "vector", "_score"])
            .limit(limit)
            .to_arrow()
        )


async def _without_conflict(change: Callable[[], Awaitable[T]], attempts: int) -> T:
    for attempt in range(attempts):
        try:
            return await change()
        except (RuntimeError, OSError) as error:
            if "no space left" in str(error).lower():
                raise ResourceExhausted("the disk is full", reason="DISK_FULL") from error
            if "conflict" not in str(error).lower():
                raise
            await asyncio.sleep(0.02 * 2**attempt)
    raise Aborted("other commits were in the way of every attempt", reason="COMMIT_RACED")


def _check(stored: EmbedderIdentity, wanted: EmbedderIdentity) -> None:
    if stored != wanted:
        raise FailedPrecondition(
            f"the memories were embedded by {stored.name} ({stored.dimension} dimensions) and "
            f"cannot be searched with {wanted.name} ({wanted.dimension}); set the embedder back, "
            "or use another data directory",
            reason="EMBEDDER_MISMATCH",
            metadata={"stored": stored.name, "wanted": wanted.name},
        )
