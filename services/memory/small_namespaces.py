"""Namespaces that are judged whole: all their records, analysed, in memory."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from services.memory.frequencies import Frequencies, FrequencyTables
from services.memory.lexicon import Lexicon
from services.memory.records import Level, Record
from services.memory.scope import Selection
from services.memory.store import Store
from services.memory.turns import Analysis, Turn
from services.memory.windows import Windows

_log = structlog.get_logger()

# Up to here judging every row is quicker than asking an index which ones to judge.
_ROWS = 16_000
# So many are read and analysed at once, in half a second; more of them beside the searches.
_AT_ONCE = 4_000
_LIMIT = 32_000  # rows of all namespaces kept, some 290 MiB

InThread = Callable[[Callable[[], None]], Awaitable[None]]
Analyse = Callable[[Sequence[Record]], Sequence[Turn]]


class Whole:
    """A namespace as it was at a revision, and has grown since. Judged and grown in one thread."""

    def __init__(
        self,
        revision: int,
        frequencies: Frequencies,
        lexicon: Lexicon,
        records: Sequence[Record],
        analyse: Analyse,
    ) -> None:
        self.revision = revision
        self.frequencies = frequencies
        self.records: dict[str, Record] = {}
        self.windows = {level: Windows(lexicon) for level in Level}
        self.grow(revision, records, analyse)

    def grow(self, revision: int, added: Sequence[Record], analyse: Analyse) -> None:
        """Takes in what was added up to a revision; what is known already is left out."""
        fresh = [record for record in added if record.id not in self.records]
        self.records.update((record.id, record) for record in fresh)
        for level, windows in self.windows.items():
            windows.extend(analyse([record for record in fresh if record.level is level]))
        self.revision = max(self.revision, revision)


class SmallNamespaces:
    """Keeps those that were searched last, until they change otherwise than by growing."""

    def __init__(
        self, store: Store, analysis: Analysis, tables: FrequencyTables, lexicon: Lexicon
    ) -> None:
        self._store = store
        self._analysis = analysis
        self._tables = tables
        self._lexicon = lexicon
        self._kept: dict[str, Whole] = {}
        self._reading: dict[str, asyncio.Task[None]] = {}

    def close(self) -> None:
        """Gives up what is being read."""
        for task in self._reading.values():
            task.cancel()

    async def of(self, namespace: str, names: frozenset[str], in_thread: InThread) -> Whole | None:
        """The namespace as it is now, grown by `in_thread`, where all judging is done.

        None where it is too large to be judged whole, or not read yet.
        """
        rows = self._store.row_count(namespace)
        if rows > _ROWS:
            self._kept.pop(namespace, None)
            return None
        frequencies = await self._tables.of(namespace)

        def analyse(rows: Sequence[Record]) -> Sequence[Turn]:
            return self._analysis.turns(rows, frequencies, names)

        kept = self._kept.get(namespace)
        if (
            kept
            and kept.frequencies is frequencies
            and await self._grown(kept, namespace, analyse, in_thread)
        ):
            return kept
        if rows > _AT_ONCE:
            self._read_beside(namespace, frequencies, analyse)
            return None
        return await self._read(namespace, frequencies, analyse)

    async def _grown(
        self, kept: Whole, namespace: str, analyse: Analyse, in_thread: InThread
    ) -> bool:
        revision = self._store.revision(namespace)
        if kept.revision >= revision:
            return True
        added = self._store.added_since(namespace, kept.revision)
        if added is not None:
            await in_thread(lambda: kept.grow(revision, added, analyse))
        return added is not None

    def _read_beside(self, namespace: str, frequencies: Frequencies, analyse: Analyse) -> None:
        if namespace in self._reading:
            return

        async def read() -> None:
            try:
                await self._read(namespace, frequencies, analyse)
            except Exception:  # the next search tries again
                _log.exception("reading a namespace failed", namespace=namespace)
            finally:
                self._reading.pop(namespace, None)

        self._reading[namespace] = asyncio.create_task(read(), name="memory-namespace")

    async def _read(self, namespace: str, frequencies: Frequencies, analyse: Analyse) -> Whole:
        revision = self._store.revision(namespace)
        records = await self._store.every(Selection(namespace))
        whole = await asyncio.to_thread(
            Whole, revision, frequencies, self._lexicon, records, analyse
        )
        self._kept.pop(namespace, None)
        kept = sum(len(each.records) for each in self._kept.values())
        if kept + len(records) > _LIMIT:
            self._kept.clear()
        self._kept[namespace] = whole
        return whole
