"""Rows as a search sees them: their words, and what those say."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from services.memory.candidates import Row
from services.memory.frequencies import Frequencies
from services.memory.lexicon import DIMENSION, Ids, Lexicon, Matrix
from services.memory.records import Level, Record
from services.memory.words import words_of

_LIMIT = 50_000  # turns kept analysed; some 60 MiB
_TOGETHER = 512  # rows analysed in one go; some 10 MiB for a while

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
    importance: float
    asks: bool
    topic: npt.NDArray[np.float32]


class Analysis:
    """Turns of rows, kept until there are too many. Safe to use from threads."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._by_id: dict[str, tuple[Frequencies, Turn]] = {}

    def turns(
        self, rows: Sequence[Row | Record], frequencies: Frequencies, names: frozenset[str]
    ) -> list[Turn]:
        """The rows' words; `names` are no topic. Computes, for a thread of its own."""
        if len(self._by_id) + len(rows) > _LIMIT:
            self._by_id = {}  # another thread may be reading the old one
        by_id = self._by_id
        kept = {row.id: by_id.get(row.id) for row in rows}
        fresh = [row for row in rows if not (of := kept[row.id]) or of[0] is not frequencies]
        turns = {row_id: of[1] for row_id, of in kept.items() if of}
        named = self._lexicon.ids_of(names)
        for first in range(0, len(fresh), _TOGETHER):
            for turn in self._analysed(fresh[first : first + _TOGETHER], frequencies, named):
                turns[turn.id] = turn
                by_id[turn.id] = (frequencies, turn)
        return [turns[row.id] for row in rows]

    def _analysed(
        self, rows: Sequence[Row | Record], frequencies: Frequencies, named: Ids
    ) -> Iterator[Turn]:
        words = [self._lexicon.ids(row.text) for row in rows]
        speaking = [self._lexicon.speaking(each) for each in words]
        stems = np.split(self._lexicon.stems(np.concatenate(speaking)), _ends(speaking))
        topics = self._topics(speaking, frequencies, named)
        for row, own, own_stems, topic in zip(rows, words, stems, topics, strict=True):
            yield Turn(
                id=row.id,
                soma=row.soma,
                place=(row.soma, row.ordinal) if row.soma and row.level is Level.EPISODE else None,
                words=own,
                stems=own_stems,
                speaker=words_of(row.speaker),
                created_at=row.created_at,
                importance=row.importance,
                asks=row.text.rstrip().endswith("?"),
                topic=topic,
            )

    def _topics(self, speaking: Sequence[Ids], frequencies: Frequencies, named: Ids) -> Matrix:
        """Shape (len(speaking), 256): of each the sum of its words' vectors by their rarity."""
        flat = np.concatenate(speaking)
        owners = np.repeat(np.arange(len(speaking)), [len(each) for each in speaking])
        told = ~np.isin(flat, named)
        flat, owners = flat[told], owners[told]
        topics = np.zeros((len(speaking), DIMENSION), dtype=np.float32)
        if flat.size:
            rarity = frequencies.rarity(self._lexicon.stems(flat)).astype(np.float32)
            present, starts = np.unique(owners, return_index=True)
            weighed = rarity[:, None] * self._lexicon.vectors(flat)
            topics[present] = np.add.reduceat(weighed, starts, axis=0)
        return topics


def _ends(parts: Sequence[Ids]) -> Ids:
    """Where each part but the last ends, when they stand in a row."""
    return np.cumsum([len(part) for part in parts])[:-1]
