"""Namespaces that are judged whole: all their records, analysed, in memory."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from services.memory.frequencies import Frequencies, FrequencyTables
from services.memory.lexicon import Lexicon
from services.memory.records import Level, Record
from services.memory.scope import Selection
from services.memory.store import Store
from services.memory.turns import Analysis
from services.memory.windows import Windows

# Up to here judging every row is quicker than asking an index which ones to judge.
_ROWS = 4_000
_LIMIT = 40_000  # rows of all namespaces kept, some 50 MiB


@dataclass(frozen=True, slots=True)
class Whole:
    """A namespace at one revision. The windows are None where the level has no rows."""

    revision: int
    frequencies: Frequencies
    records: dict[str, Record]
    windows: dict[Level, Windows | None]


class SmallNamespaces:
    """Keeps those that were searched last, until they change."""

    def __init__(
        self, store: Store, analysis: Analysis, tables: FrequencyTables, lexicon: Lexicon
    ) -> None:
        self._store = store
        self._analysis = analysis
        self._tables = tables
        self._lexicon = lexicon
        self._kept: dict[str, Whole] = {}

    async def of(self, namespace: str, names: frozenset[str]) -> Whole | None:
        """The namespace as it is now, or None where it is too large to be judged whole."""
        if self._store.row_count(namespace) > _ROWS:
            self._kept.pop(namespace, None)
            return None
        frequencies = await self._tables.of(namespace)
        revision = self._store.revision(namespace)
        kept = self._kept.get(namespace)
        if kept and kept.revision == revision and kept.frequencies is frequencies:
            return kept
        added = self._store.added_since(namespace, kept.revision) if kept else None
        if kept and added is not None:
            records = [*kept.records.values(), *added]
        else:
            records = list(await self._store.every(Selection(namespace)))
        whole = await asyncio.to_thread(self._analysed, revision, frequencies, records, names)
        if sum(len(each.records) for each in self._kept.values()) > _LIMIT:
            self._kept.clear()
        self._kept[namespace] = whole
        return whole

    def _analysed(
        self,
        revision: int,
        frequencies: Frequencies,
        records: Sequence[Record],
        names: frozenset[str],
    ) -> Whole:
        windows: dict[Level, Windows | None] = {}
        for level in Level:
            rows = [record for record in records if record.level is level]
            turns = self._analysis.turns(rows, frequencies, names)
            windows[level] = Windows(turns, self._lexicon) if turns else None
        return Whole(revision, frequencies, {record.id: record for record in records}, windows)
