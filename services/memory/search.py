"""Finds the records that answer a query: candidates from the store, scores from the fusion."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.memory import fusion
from services.memory.embedder import Embedder, Vector
from services.memory.records import Level, Record
from services.memory.store import Candidates, Scope, Store
from services.memory.words import without, words_of
from shared.errors import InvalidArgument

QUERY_LIMIT_BYTES = 8 * 1024
DEFAULT_LIMIT = 10
LIMIT = 100

_EPISODES = 200  # candidates by vector, and again as many by words
_SUMMARIES = 100


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

    async def search(self, scope: Scope, query: str, limit: int) -> Sequence[Found]:
        """The best records in the scope, best first; at most `limit`, where 0 means 10.

        The query is data: of more than 8 KiB the beginning counts. Raises InvalidArgument where
        it is empty, or the limit is negative.
        """
        text = _checked(query)
        count = _limit(limit)
        # A speaker's name in the query says who spoke, not what was said; left in, it would draw
        # the turns in which others call that name.
        named = words_of(text) & await self._names(scope.namespace)
        topic = without(text, named)
        vector = (await self._embedder.embed([topic]))[0]
        episodes, summaries = await asyncio.gather(
            self._store.candidates(scope, vector, topic, _EPISODES),
            self._summaries(scope, vector, topic),
        )
        fused = await asyncio.to_thread(
            fusion.fuse, episodes, summaries, vector, named, self._weights
        )
        best = np.argsort(-fused.score, kind="stable")[:count]
        records = await self._store.fetch([episodes.ids[place] for place in best])
        return [
            Found(
                records[episodes.ids[place]],
                float(fused.score[place]),
                float(fused.vector[place]),
                float(fused.text[place]),
                float(fused.prior[place]),
            )
            for place in best
            if episodes.ids[place] in records  # forgotten a moment ago
        ]

    async def _names(self, namespace: str) -> frozenset[str]:
        speakers = await self._store.speakers(namespace)
        return frozenset().union(*(words_of(speaker) for speaker in speakers))

    async def _summaries(self, scope: Scope, vector: Vector, topic: str) -> Candidates | None:
        if scope.level is Level.SUMMARY:
            return None
        above = replace(scope, level=Level.SUMMARY)
        return await self._store.candidates(above, vector, topic, _SUMMARIES)


def _checked(query: str) -> str:
    if not query.strip():
        raise InvalidArgument.of_field("query", "must not be empty")
    return query.encode()[:QUERY_LIMIT_BYTES].decode(errors="ignore")


def _limit(limit: int) -> int:
    if limit < 0:
        raise InvalidArgument.of_field("limit", "must not be negative")
    return min(limit or DEFAULT_LIMIT, LIMIT)
