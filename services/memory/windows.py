"""Turns in a row of arrays, and sums over each turn and those beside it."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from services.memory.lexicon import DIMENSION, Ids, Lexicon, Matrix
from services.memory.scores import Scores
from services.memory.turns import Turn

_REACH = 2


class Windows:
    """Turns, where the neighbours of each stand among them, and what is the same for any query."""

    def __init__(self, turns: Sequence[Turn], lexicon: Lexicon) -> None:
        self.turns = turns
        self._lexicon = lexicon
        self._beside = _neighbours(turns)
        self._words, self._word_owner = _flat([turn.words for turn in turns])
        self._stems, self._stem_owner = _flat([turn.stems for turn in turns])

    def occurrences(self, stem: int) -> Scores:
        """How often a stem is in each turn and the two before and after it."""
        owners = self._stem_owner[self._stems == stem]
        return self._summed(np.bincount(owners, minlength=len(self.turns)))

    @cached_property
    def lengths(self) -> Scores:
        """How many words of each turn, and of the two before and after it, count."""
        return self._summed(np.bincount(self._stem_owner, minlength=len(self.turns)))

    @cached_property
    def vocabulary(self) -> Ids:
        """All words of all turns, each once, ascending."""
        return np.flatnonzero(np.bincount(self._words)) if self._words.size else self._words

    @cached_property
    def vocabulary_vectors(self) -> Matrix:
        """The vectors of the vocabulary."""
        return self._lexicon.vectors(self.vocabulary)

    def highest(self, values: Matrix) -> npt.NDArray[np.float64]:
        """For values of shape (queries, vocabulary) the highest per turn: (queries, turns)."""
        best = np.zeros((len(values), len(self.turns)))
        owners, starts, columns = self._places
        if self._words.size:
            for row, own in zip(best, values, strict=True):
                row[owners] = np.maximum.reduceat(own[columns], starts)
        return best

    @cached_property
    def topics(self) -> tuple[Matrix, Matrix]:
        """The topic of each turn with those right before and after it, about their centre, at
        length 1: (turns, 256); and the centre: (256,)."""
        own = np.stack([turn.topic for turn in self.turns])
        padded = np.concatenate([own, np.zeros((1, DIMENSION), dtype=np.float32)])
        before, after = self._beside[:, _REACH - 1], self._beside[:, _REACH + 1]
        topics = normalised(own + padded[before] + padded[after])
        centre = np.asarray(topics.mean(axis=0), dtype=np.float32)
        return normalised(topics - centre), centre

    def best_beside(self, values: Scores) -> Scores:
        """The higher value of the turns right before and after; 0 where there is none."""
        padded = np.append(values, 0.0)
        pair = self._beside[:, [_REACH - 1, _REACH + 1]]
        return np.asarray(padded[pair].max(axis=1), dtype=np.float64)

    def spoken_by(self, named: frozenset[str]) -> Scores:
        """1 for turns of a speaker that has one of the names."""
        kinds, kind = self._speakers
        return np.array([float(bool(words & named)) for words in kinds])[kind]

    @cached_property
    def statements(self) -> Scores:
        """1 for turns that are no question."""
        return np.array([float(not turn.asks) for turn in self.turns])

    @cached_property
    def _speakers(self) -> tuple[list[frozenset[str]], Ids]:
        numbers: dict[frozenset[str], int] = {}
        kind = [numbers.setdefault(turn.speaker, len(numbers)) for turn in self.turns]
        return list(numbers), np.array(kind, dtype=np.int64)

    @cached_property
    def _places(self) -> tuple[Ids, Ids, Ids]:
        """Turns with words, where their words begin, and each word's place in the vocabulary."""
        owners, starts = np.unique(self._word_owner, return_index=True)
        return owners, starts, np.searchsorted(self.vocabulary, self._words)

    def _summed(self, values: npt.NDArray[np.int64]) -> Scores:
        padded = np.append(values, 0)
        return np.asarray(padded[self._beside].sum(axis=1), dtype=np.float64)


def normalised(vectors: Matrix) -> Matrix:
    """Rows of length 1; rows of zeros stay."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-9), dtype=np.float32)


def _neighbours(turns: Sequence[Turn]) -> Ids:
    """Shape (turns, 5): positions of the turns from two before to two after, -1 where none is."""
    positions = {turn.place: at for at, turn in enumerate(turns) if turn.place}
    beside = np.full((len(turns), 2 * _REACH + 1), -1, dtype=np.int64)
    beside[:, _REACH] = np.arange(len(turns))
    for at, turn in enumerate(turns):
        if turn.place:
            soma, ordinal = turn.place
            for step in (-2, -1, 1, 2):
                beside[at, step + _REACH] = positions.get((soma, ordinal + step), -1)
    return beside


def _flat(parts: Sequence[Ids]) -> tuple[Ids, Ids]:
    """All parts in one array, and which part each entry is of."""
    sizes = [len(part) for part in parts]
    return np.concatenate(parts), np.repeat(np.arange(len(parts)), sizes)
