"""How common each stem is in a namespace."""

import asyncio
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from services.memory.lexicon import Ids, Lexicon
from services.memory.store import Store

# So many rows tell how common a word is; they are read at once, and again as a namespace grows.
_SAMPLE = 10_000
_GROWTH = 1.25
_SMALL = 20


class Frequencies:
    """Document frequencies of stems in `count` rows."""

    def __init__(self, texts: Iterable[str], lexicon: Lexicon) -> None:
        seen = [np.unique(lexicon.stems(lexicon.speaking(lexicon.ids(text)))) for text in texts]
        self.count = len(seen)
        counts = np.bincount(np.concatenate(seen)) if seen else np.zeros(0, dtype=np.int64)
        self._rows = np.append(counts, 0)  # the last is for stems that came later

    def rarity(self, stems: Ids) -> npt.NDArray[np.float64]:
        """The inverse document frequency of each stem, as Lucene's BM25 has it."""
        rows = self._rows[np.minimum(stems, len(self._rows) - 1)]
        rarity: npt.NDArray[np.float64] = np.log(1 + (self.count - rows + 0.5) / (rows + 0.5))
        return rarity


class FrequencyTables:
    """A table per namespace, made when it is first searched and again as it grows."""

    def __init__(self, store: Store, lexicon: Lexicon) -> None:
        self._store = store
        self._lexicon = lexicon
        self._tables: dict[str, tuple[int, Frequencies]] = {}

    async def of(self, namespace: str) -> Frequencies:
        """The table of a namespace; at most a quarter of its rows are newer."""
        rows = self._store.row_count(namespace)
        kept = self._tables.get(namespace)
        if kept and rows <= kept[0] * _GROWTH + _SMALL:
            return kept[1]
        texts = await self._store.sample(namespace, _SAMPLE)
        table = await asyncio.to_thread(Frequencies, texts, self._lexicon)
        self._tables[namespace] = (rows, table)
        return table
