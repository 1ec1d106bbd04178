"""Finds the records that answer a query: candidates from the store, and what speaks for each."""

import asyncio
import enum
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from services.memory import evidence
from services.memory.embedder import Embedder
from services.memory.filters import NO_FILTERS, Filters
from services.memory.knowledge import Knowledge
from services.memory.neighbours import Neighbours
from services.memory.records import Level, Record
from services.memory.scores import share, spread
from services.memory.small_namespaces import Whole
from services.memory.store import Candidates, Row, Scope, Scores, Store
from services.memory.windows import Windows
from services.memory.words import without, words_of
from shared.errors import InvalidArgument

QUERY_LIMIT_BYTES = 8 * 1024
DEFAULT_LIMIT = 10
LIMIT = 100

_CANDIDATES = 256  # by vector, and again as many by words


Ranked = tuple[str, tuple[float, ...]]


class Mode(enum.IntEnum):
    """What ranks the hits: everything there is, or for comparison less of it."""

    HIERARCHICAL = 1
    FLAT = 2
    HYBRID = 3
    KEYWORD = 4


@dataclass(frozen=True, slots=True)
class Query:
    """A question to one namespace. `limit` 0 means 10; empty `somas` means all."""

    namespace: str
    text: str
    limit: int = 0
    level: Level = Level.EPISODE
    somas: tuple[str, ...] = ()
    excluded_somas: tuple[str, ...] = ()
    mode: Mode = Mode.HIERARCHICAL
    filters: Filters = NO_FILTERS


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

    def __init__(self, store: Store, embedder: Embedder) -> None:
        self._store = store
        self._embedder = embedder
        self._weights = evidence.Weights()
        self._knowledge = Knowledge(store)
        self._neighbours = Neighbours(store)
        # One at a time: the analysed rows are shared, and two would only take turns on them.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="search")

    def close(self) -> None:
        """Ends the thread after what is under way."""
        self._thread.shutdown()

    async def search(self, query: Query) -> Sequence[Found]:
        """The best records of the query's level, best first.

        The text is data: of more than 8 KiB the beginning counts. Raises InvalidArgument where it
        is empty, or the limit is negative.
        """
        text, limit = _text(query), _limit(query)
        # A speaker's name in the query says who spoke, not what was said; left in, it would draw
        # the turns in which others call that name.
        names = await self._names(query.namespace)
        if query.mode is Mode.HIERARCHICAL:
            knowledge = self._known()
            if whole := await knowledge.small.of(query.namespace, names):
                judge = evidence.Judge(whole.frequencies, knowledge.lexicon, self._weights)
                ranked = await self._in_thread(lambda: _of_whole(whole, judge, query, text, names))
                return [Found(whole.records[row_id], *scores) for row_id, scores in ranked[:limit]]
            ranked = await self._of_candidates(knowledge, query, text, names)
        else:
            candidates = await self._candidates(query, text, names)
            ranked = _in_mode(query.mode, candidates.of_level(query.level))
        records = await self._store.fetch([row_id for row_id, _ in ranked[:limit]])
        return [
            Found(records[row_id], *scores)
            for row_id, scores in ranked[:limit]
            if row_id in records  # else forgotten a moment ago
        ]

    def _known(self) -> Knowledge:
        if self._knowledge.lexicon.is_full:
            self._knowledge = Knowledge(self._store)
        return self._knowledge

    async def _of_candidates(
        self, knowledge: Knowledge, query: Query, text: str, names: frozenset[str]
    ) -> list[Ranked]:
        candidates = await self._candidates(query, text, names)
        own = candidates.of_level(query.level)
        named = set(own.ids)
        rows = await self._neighbours.around(query.namespace, own.rows)
        frequencies = await knowledge.tables.of(query.namespace)
        judge = evidence.Judge(frequencies, knowledge.lexicon, self._weights)

        def windows(some: Sequence[Row]) -> Windows:
            turns = knowledge.analysis.turns(some, frequencies, names)
            return Windows(turns, knowledge.lexicon)

        def work() -> list[Ranked]:
            question = judge.question(text, names)
            summaries = candidates.of_level(Level.SUMMARY).rows
            told = judge.summaries(question, windows(summaries)) if summaries else {}
            every = windows(rows)
            ranked = _ranked(every, judge.judge(question, every, told))
            # The store has looked at the filters, for those that it named.
            return [row for row in ranked if row[0] in named] if query.filters else ranked

        return await self._in_thread(work) if rows else []

    async def _candidates(self, query: Query, text: str, names: frozenset[str]) -> Candidates:
        topic = without(text, words_of(text) & names)
        (vector,) = await self._embedder.embed([topic])
        return await self._store.candidates(_scope(query), vector, topic, _CANDIDATES)

    async def _in_thread(self, work: Callable[[], list[Ranked]]) -> list[Ranked]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _names(self, namespace: str) -> frozenset[str]:
        speakers = await self._store.speakers(namespace)
        return frozenset().union(*(words_of(speaker) for speaker in speakers))


def _of_whole(
    whole: Whole, judge: evidence.Judge, query: Query, text: str, names: frozenset[str]
) -> list[Ranked]:
    windows, summaries = whole.windows[query.level], whole.windows[Level.SUMMARY]
    if windows is None:
        return []
    question = judge.question(text, names)
    told = judge.summaries(question, summaries) if summaries else {}
    ranked = _ranked(windows, judge.judge(question, windows, told))
    return [row for row in ranked if _is_in_scope(whole.records[row[0]], query)]


def _ranked(windows: Windows, judged: evidence.Judged) -> list[Ranked]:
    parts = (judged.score, judged.vector, judged.text, judged.prior)
    return _sorted([turn.id for turn in windows.turns], parts)


def _in_mode(mode: Mode, rows: Candidates) -> list[Ranked]:
    """Ranked by the vector alone, the words alone, or half and half."""
    vector, text = spread(rows.similarities), share(rows.text_scores)
    score = {Mode.FLAT: vector, Mode.KEYWORD: text, Mode.HYBRID: (vector + text) / 2}[mode]
    return _sorted(rows.ids, (score, vector, text, np.zeros_like(score)))


def _sorted(ids: Sequence[str], parts: Sequence[Scores]) -> list[Ranked]:
    """Ids and (score, vector, text, prior), the highest scores first."""
    order = np.argsort(-parts[0], kind="stable")
    table = np.stack(parts, axis=1)[order].tolist()
    return [(ids[place], tuple(row)) for place, row in zip(order.tolist(), table, strict=True)]


def _is_in_scope(record: Record, query: Query) -> bool:
    return (
        (not query.somas or record.soma in query.somas)
        and record.soma not in query.excluded_somas
        and query.filters.admit(record)
    )


def _scope(query: Query) -> Scope:
    """Where the candidates come from: summaries take part in judging episodes."""
    levels = (Level.SUMMARY,) if query.level is Level.SUMMARY else tuple(Level)
    return Scope(query.namespace, levels, query.somas, query.excluded_somas, query.filters)


def _text(query: Query) -> str:
    if not query.text.strip():
        raise InvalidArgument.of_field("query", "must not be empty")
    return query.text.encode()[:QUERY_LIMIT_BYTES].decode(errors="ignore")


def _limit(query: Query) -> int:
    if query.limit < 0:
        raise InvalidArgument.of_field("limit", "must not be negative")
    return min(query.limit or DEFAULT_LIMIT, LIMIT)
