"""Rows as a search sees them: their words, and what those say."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from services.memory.frequencies import Frequencies
from services.memory.lexicon import DIMENSION, Ids, Lexicon
from services.memory.records import Level, Record
from services.memory.store import Row
from services.memory.words import words_of

_LIMIT = 50_000  # turns kept analysed; some 60 MiB

Place = tuple[str, int]  # Soma and ordinal


@dataclass(frozen=True, slots=True)
class Turn:
    """An analysed row. `topic` has shape (256,): its words' vectors, weighted by their rarity."""

    id: str
    soma: str
    place: Place | None
    words: Ids
    stems: Ids
    speaker: frozenset[str]
    created_at: datetime
    asks: bool
    topic: npt.NDArray[np.float32]


class Analysis:
    """Turns of rows, kept until there are too many."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._by_id: dict[str, tuple[Frequencies, Turn]] = {}

    def turns(
        self, rows: Sequence[Row | Record], frequencies: Frequencies, names: frozenset[str]
    ) -> list[Turn]:
        """The rows' words; `names` are no topic. Computes, for a thread of its own."""
        if len(self._by_id) + len(rows) > _LIMIT:
            self._by_id.clear()
        named = self._lexicon.ids_of(names)
        return [self._turn(row, frequencies, named) for row in rows]

    def _turn(self, row: Row | Record, frequencies: Frequencies, named: Ids) -> Turn:
        kept = self._by_id.get(row.id)
        if kept and kept[0] is frequencies:
            return kept[1]
        words = self._lexicon.ids(row.text)
        speaking = self._lexicon.speaking(words)
        stems = self._lexicon.stems(speaking)
        told = speaking[~np.isin(speaking, named)]
        rarity = frequencies.rarity(self._lexicon.stems(told)).astype(np.float32)
        topic = rarity @ self._lexicon.vectors(told) if told.size else np.zeros(DIMENSION)
        turn = Turn(
            id=row.id,
            soma=row.soma,
            place=(row.soma, row.ordinal) if row.soma and row.level is Level.EPISODE else None,
            words=words,
            stems=stems,
            speaker=words_of(row.speaker),
            created_at=row.created_at,
            asks=row.text.rstrip().endswith("?"),
            topic=np.asarray(topic, dtype=np.float32),
        )
        self._by_id[row.id] = (frequencies, turn)
        return turn
