"""Finds the records that answer a query: candidates from the store, and what speaks for each."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TypeVar

from services.memory import evidence
from services.memory.candidates import Candidates, Row
from services.memory.embedder import Embedder, Vector
from services.memory.knowledge import Knowledge
from services.memory.neighbours import Neighbours
from services.memory.query import Found, Mode, Query
from services.memory.ranking import Ranked, Ranking
from services.memory.records import Level, Record
from services.memory.scope import Scope
from services.memory.small_namespaces import Whole
from services.memory.store import Store
from services.memory.windows import Windows
from services.memory.words import without, words_of

T = TypeVar("T")

_CANDIDATES = 256  # by vector, and again as many by words
_RERANKED = 64  # the best of them, which are judged with what was said beside


@dataclass(frozen=True, slots=True)
class _Asked:
    """A checked query; `names` are the words of all speakers' names."""

    query: Query
    text: str
    names: frozenset[str]
    ranking: Ranking

    @property
    def topic(self) -> str:
        """The text without names.

        A speaker's name in the query says who spoke, not what was said; left in, it would draw
        the turns in which others call that name.
        """
        return without(self.text, words_of(self.text) & self.names)


class Searcher:
    """Searches one store with one embedder."""

    def __init__(self, store: Store, embedder: Embedder) -> None:
        self._store = store
        self._embedder = embedder
        self._weights = evidence.Weights()
        self._knowledge = Knowledge(store)
        self._neighbours = Neighbours(store)
        # One at a time: the analysed rows are shared, and two would only take turns on them.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="search")

    async def close(self) -> None:
        """Ends the thread after what is under way."""
        self._knowledge.close()
        await asyncio.to_thread(self._thread.shutdown)

    async def search(self, query: Query) -> Sequence[Found]:
        """The best records of the query's level, best first.

        The text is data: of more than 8 KiB the beginning counts. Raises InvalidArgument where it
        is empty, the limit is negative, or a preference out of its range.
        """
        query.check_preferences()
        limit = query.checked_limit()
        asked = _Asked(
            query,
            query.checked_text(),
            await self._names(query.namespace),
            Ranking(query.preferences, datetime.now(UTC)),
        )
        if query.mode is not Mode.HIERARCHICAL:
            return await self._in_mode(asked, limit)
        knowledge = self._known()
        if whole := await knowledge.small.of(query.namespace, asked.names, self._in_thread):
            judge = evidence.Judge(whole.frequencies, knowledge.lexicon, self._weights)
            ranked = await self._in_thread(lambda: _of_whole(asked, whole, judge, limit))
            return _found(ranked, whole.records)
        return await self._fetched(await self._of_candidates(asked, knowledge, limit))

    async def _fetched(self, ranked: Sequence[Ranked]) -> list[Found]:
        return _found(ranked, await self._store.fetch([row.id for row in ranked]))

    def _known(self) -> Knowledge:
        if self._knowledge.lexicon.is_full:
            self._knowledge.close()
            self._knowledge = Knowledge(self._store)
        return self._knowledge

    async def _in_mode(self, asked: _Asked, limit: int) -> list[Found]:
        query, ranking = asked.query, asked.ranking
        scope = _scope(query, query.level)
        if query.mode is Mode.HYBRID:
            vector = await self._vector(asked.topic)
            both = await self._store.candidates(scope, vector, asked.topic, _CANDIDATES)
            return await self._fetched(list(islice(ranking.by_both(both), limit)))
        wanted = _CANDIDATES if query.preferences else limit
        if query.mode is Mode.FLAT:
            vector = await self._vector(asked.topic)
            scored = await self._store.nearest(scope, vector, wanted)
            ranked = ranking.by_vector(scored)
        else:
            scored = await self._store.matching(scope, asked.topic, wanted)
            ranked = ranking.by_words(scored)
        records = {record.id: record for record in scored.records}
        return _found(list(islice(ranked, limit)), records)

    async def _of_candidates(self, asked: _Asked, knowledge: Knowledge, limit: int) -> list[Ranked]:
        query = asked.query
        candidates = await self._candidates(query, asked.topic)
        own = candidates.of_level(query.level).best(_RERANKED)
        named = {row.id for row in own}
        rows = await self._neighbours.around(query.namespace, own)
        frequencies = await knowledge.tables.of(query.namespace)
        judge = evidence.Judge(frequencies, knowledge.lexicon, self._weights)

        def windows(some: Sequence[Row]) -> Windows:
            turns = knowledge.analysis.turns(some, frequencies, asked.names)
            return Windows(knowledge.lexicon, turns)

        def work() -> list[Ranked]:
            question = judge.question(asked.text, asked.names)
            summaries = candidates.of_level(Level.SUMMARY).rows
            told = judge.summaries(question, windows(summaries)) if summaries else {}
            ranked = asked.ranking.judged(rows, judge.judge(question, windows(rows), told))
            # The store has looked at the filters, for those that it named.
            admitted = (row for row in ranked if not query.filters or row.id in named)
            return list(islice(admitted, limit))

        return await self._in_thread(work) if rows else []

    async def _candidates(self, query: Query, topic: str) -> Candidates:
        # Summaries take part in judging episodes.
        levels = (Level.SUMMARY,) if query.level is Level.SUMMARY else tuple(Level)
        vector = await self._vector(topic)
        return await self._store.candidates(_scope(query, *levels), vector, topic, _CANDIDATES)

    async def _vector(self, topic: str) -> Vector:
        vector: Vector = (await self._embedder.embed([topic]))[0]
        return vector

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _names(self, namespace: str) -> frozenset[str]:
        speakers = await self._store.speakers(namespace)
        return frozenset().union(*(words_of(speaker) for speaker in speakers))


def _of_whole(asked: _Asked, whole: Whole, judge: evidence.Judge, limit: int) -> list[Ranked]:
    windows, summaries = whole.windows[asked.query.level], whole.windows[Level.SUMMARY]
    if not windows.turns:
        return []
    question = judge.question(asked.text, asked.names)
    told = judge.summaries(question, summaries) if summaries.turns else {}
    ranked = asked.ranking.judged(windows.turns, judge.judge(question, windows, told))
    admitted = (row for row in ranked if asked.query.admits(whole.records[row.id]))
    return list(islice(admitted, limit))


def _found(ranked: Sequence[Ranked], records: Mapping[str, Record]) -> list[Found]:
    """The ranked records, without those that were forgotten a moment ago."""
    return [Found(records[row.id], *row[1:]) for row in ranked if row.id in records]


def _scope(query: Query, *levels: Level) -> Scope:
    return Scope(query.namespace, levels, query.somas, query.excluded_somas, query.filters)
