"""The two searches of a Lance table: near to a vector, and by words."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from lancedb.query import MatchQuery

from services.memory import lance_answers, lance_filters, lance_rows
from services.memory.candidates import Candidates, Scored
from services.memory.embedder import Vector
from services.memory.lance_indexes import EXACT_ROWS, LanceIndexes
from services.memory.lance_table import LanceTable
from services.memory.scope import Scope
from services.memory.tally import Tally
from services.memory.words import indexable

PROBES = 64  # partitions that are looked into

# Vectors that are compared themselves, not by their codes, to find the nearest.
_REFINE, _REFINED = 10, 512


def refine(limit: int) -> int:
    """How many times more vectors than are asked for are compared themselves."""
    return max(1, min(_REFINE, _REFINED // limit))


class LanceSearch:
    """Searches exactly where that is quick, and through the vector index where it is not."""

    def __init__(self, table: LanceTable, indexes: LanceIndexes, tally: Tally) -> None:
        self._table = table
        self._indexes = indexes
        self._tally = tally

    async def candidates(self, scope: Scope, vector: Vector, words: str, limit: int) -> Candidates:
        """See Store.candidates."""
        columns = lance_rows.LIGHT_COLUMNS
        near, matching = await asyncio.gather(
            self._near(scope, vector, columns, limit),
            self._matching(scope, words, [*columns, "vector"], limit),
        )
        return await asyncio.to_thread(lance_answers.merged, near, matching, vector)

    async def nearest(self, scope: Scope, vector: Vector, limit: int) -> Scored:
        """See Store.nearest."""
        near = await self._near(scope, vector, lance_rows.RECORD_COLUMNS, limit)
        return Scored(lance_rows.to_records(near), 1.0 - near["_distance"].to_numpy())

    async def matching(self, scope: Scope, words: str, limit: int) -> Scored:
        """See Store.matching."""
        found = await self._matching(scope, words, lance_rows.RECORD_COLUMNS, limit)
        return Scored(lance_rows.to_records(found), found["_score"].to_numpy().astype(np.float64))

    async def _near(
        self, scope: Scope, vector: Vector, columns: Sequence[str], limit: int
    ) -> pa.Table:
        # Unit vectors: all distances order alike.
        query = self._table.raw.query().nearest_to(vector).column("vector")
        if self._is_exact(scope):
            query = query.distance_type("dot").bypass_vector_index()
        else:
            query = query.distance_type("cosine").nprobes(PROBES).refine_factor(refine(limit))
        return await self._first(query, scope, [*columns, "_distance"], limit)

    async def _matching(
        self, scope: Scope, words: str, columns: Sequence[str], limit: int
    ) -> pa.Table:
        query = self._table.raw.query().nearest_to_text(MatchQuery(indexable(words), "words"))
        return await self._first(query, scope, [*columns, "_score"], limit)

    async def _first(self, query: Any, scope: Scope, columns: list[str], limit: int) -> pa.Table:
        """The best rows of the scope.

        A filter costs some ms in a million rows also where it admits all of them, so then it is
        left out. Rows are announced before they are visible: one that came meanwhile and does not
        belong here is known of by the second look.
        """
        query = query.select(columns).limit(limit)
        if not self._tally.admits_all(scope):
            query = query.where(lance_filters.in_scope(scope))
            return await self._table.read(query.to_arrow)
        found = await self._table.read(query.to_arrow)
        if self._tally.admits_all(scope):
            return found
        return await self._first(query, scope, columns, limit)

    def _is_exact(self, scope: Scope) -> bool:
        few = self._tally.row_count(scope.namespace) <= EXACT_ROWS
        return few or bool(scope.somas) or not self._indexes.partitions
