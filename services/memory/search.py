"""Finds the records that answer a query: candidates from the store, scores from the fusion."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.memory import fusion
from services.memory.embedder import Embedder
from services.memory.records import Level, Record
from services.memory.store import Candidates, Scope, Store
from services.memory.words import without, words_of
from shared.errors import InvalidArgument

QUERY_LIMIT_BYTES = 8 * 1024
DEFAULT_LIMIT = 10
LIMIT = 100

_CANDIDATES = 256  # by vector, and again as many by words


@dataclass(frozen=True, slots=True)
class Query:
    """A question to one namespace. `limit` 0 means 10; empty `somas` means all."""

    namespace: str
    text: str
    limit: int = 0
    level: Level = Level.EPISODE
    somas: tuple[str, ...] = ()
    excluded_somas: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """One hit: `score` is the weighted sum of the parts, which are from 0 to 1."""

    record: Record
    score: float
    vector: float
    text: float
    prior: float


class Searcher:
    """Searches one store with one embedder."""

    def __init__(
        self, store: Store, embedder: Embedder, weights: fusion.Weights | None = None
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._weights = weights or fusion.Weights()

    async def search(self, query: Query) -> Sequence[Found]:
        """The best records of the query's level, best first.

        The text is data: of more than 8 KiB the beginning counts. Raises InvalidArgument where it
        is empty, or the limit is negative.
        """
        text, limit = _text(query), _limit(query)
        # A speaker's name in the query says who spoke, not what was said; left in, it would draw
        # the turns in which others call that name.
        named = words_of(text) & await self._names(query.namespace)
        topic = without(text, named)
        (vector,) = await self._embedder.embed([topic])
        candidates = await self._store.candidates(_scope(query), vector, topic, _CANDIDATES)
        ids, fused = await asyncio.to_thread(
            _ranked, candidates, query.level, named, self._weights, limit
        )
        records = await self._store.fetch(ids)
        return [
            Found(records[row_id], *scores)
            for row_id, scores in zip(ids, fused, strict=True)
            if row_id in records  # else forgotten a moment ago
        ]

    async def _names(self, namespace: str) -> frozenset[str]:
        speakers = await self._store.speakers(namespace)
        return frozenset().union(*(words_of(speaker) for speaker in speakers))


def _ranked(
    candidates: Candidates,
    level: Level,
    named: frozenset[str],
    weights: fusion.Weights,
    limit: int,
) -> tuple[list[str], list[tuple[float, float, float, float]]]:
    """Ids and (score, vector, text, prior) of the best rows of a level, best first."""
    rows = candidates.of_level(level)
    fused = fusion.fuse(rows, candidates.of_level(Level.SUMMARY), named, weights)
    best = np.argsort(-fused.score, kind="stable")[:limit]
    parts = np.stack([fused.score, fused.vector, fused.text, fused.prior], axis=1)[best]
    return [rows.ids[place] for place in best], [tuple(row) for row in parts.tolist()]


def _scope(query: Query) -> Scope:
    """Where the candidates come from: summaries take part in judging episodes."""
    levels = (Level.SUMMARY,) if query.level is Level.SUMMARY else tuple(Level)
    return Scope(query.namespace, levels, query.somas, query.excluded_somas)


def _text(query: Query) -> str:
    if not query.text.strip():
        raise InvalidArgument.of_field("query", "must not be empty")
    return query.text.encode()[:QUERY_LIMIT_BYTES].decode(errors="ignore")


def _limit(query: Query) -> int:
    if query.limit < 0:
        raise InvalidArgument.of_field("limit", "must not be negative")
    return min(query.limit or DEFAULT_LIMIT, LIMIT)
