"""The two searches of a Lance table: near to a vector, and by words."""

import asyncio

import pyarrow as pa
from lancedb.query import MatchQuery

from services.memory import lance_answers, lance_filters
from services.memory.embedder import Vector
from services.memory.lance_indexes import EXACT_ROWS, LanceIndexes
from services.memory.lance_table import LanceTable
from services.memory.store import Candidates, Scope
from services.memory.tally import Tally
from services.memory.words import indexable

_PROBES = 20
_REFINE = 5


class LanceSearch:
    """Searches exactly where that is quick, and through the vector index where it is not."""

    def __init__(self, table: LanceTable, indexes: LanceIndexes, tally: Tally) -> None:
        self._table = table
        self._indexes = indexes
        self._tally = tally

    async def candidates(
        self, scope: Scope, vector: Vector | None, words: str, limit: int
    ) -> Candidates:
        """See Store.candidates."""
        if vector is None:
            return lance_answers.by_words(await self._matching(scope, words, limit))
        if not words:
            return lance_answers.by_vector(await self._near(scope, vector, limit))
        near, matching = await asyncio.gather(
            self._near(scope, vector, limit), self._matching(scope, words, limit)
        )
        return await asyncio.to_thread(lance_answers.merged, near, matching, vector)

    async def _near(self, scope: Scope, vector: Vector, limit: int) -> pa.Table:
        # Unit vectors: all distances order alike.
        query = self._table.raw.query().nearest_to(vector).column("vector")
        if self._is_exact(scope):
            query = query.distance_type("dot").bypass_vector_index()
        else:
            query = query.distance_type("cosine").nprobes(_PROBES).refine_factor(_REFINE)
        columns = [*lance_answers.LIGHT_COLUMNS, "_distance"]
        query = query.where(lance_filters.in_scope(scope)).select(columns).limit(limit)
        return await self._table.read(query.to_arrow)

    async def _matching(self, scope: Scope, words: str, limit: int) -> pa.Table:
        query = self._table.raw.query().nearest_to_text(MatchQuery(indexable(words), "words"))
        columns = [*lance_answers.LIGHT_COLUMNS, "vector", "_score"]
        query = query.where(lance_filters.in_scope(scope)).select(columns).limit(limit)
        return await self._table.read(query.to_arrow)

    def _is_exact(self, scope: Scope) -> bool:
        few = self._tally.row_count(scope.namespace) <= EXACT_ROWS
        return few or bool(scope.somas) or not self._indexes.partitions
