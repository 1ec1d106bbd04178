"""The words of turns in lines of one length, so that the likest of each turn is found at once."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from services.memory.growing import Growing
from services.memory.lexicon import DIMENSION, Ids, Lexicon, Matrix

_WIDTH = 16  # words of a line; longer turns have several


class Vocabulary:
    """Every word of some turns once, and where in it the words of each turn are."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._turns = 0
        self._place_of = np.zeros(0, dtype=np.int64)  # by word; 0 where it is not known yet
        self._stems = Growing(np.int64)
        self._vectors = Growing(np.float32, (DIMENSION,))
        self._lines = Growing(np.int64, (_WIDTH,))  # places of words, 0 where a line has no more
        self._owners = Growing(np.int64)  # turns that have words
        self._starts = Growing(np.int64)  # the first line of each
        # At place 0 stands no word: it is like nothing.
        self._stems.extend(np.array([-1]))
        self._vectors.extend(np.zeros((1, DIMENSION), dtype=np.float32))

    def extend(self, words: Sequence[Ids]) -> None:
        """Adds turns by their words."""
        sizes = np.array([len(each) for each in words], dtype=np.int64)
        lengths = -(-sizes // _WIDTH)  # in lines
        spoken = np.flatnonzero(sizes)
        lines = np.zeros((int(lengths.sum()), _WIDTH), dtype=np.int64)
        if len(spoken):
            flat = np.concatenate(words)
            self._add(np.unique(flat))
            within = np.arange(len(flat)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
            first = np.repeat(np.cumsum(lengths) - lengths, sizes) * _WIDTH
            lines.ravel()[first + within] = self._place_of[flat]
        starts = len(self._lines) + np.cumsum(lengths) - lengths
        self._lines.extend(lines)
        self._owners.extend(self._turns + spoken)
        self._starts.extend(starts[spoken])
        self._turns += len(words)
        self.__dict__.pop("_columns", None)

    def _add(self, words: Ids) -> None:
        if words[-1] >= len(self._place_of):
            grown = np.zeros(2 * int(words[-1]) + 1, dtype=np.int64)
            grown[: len(self._place_of)] = self._place_of
            self._place_of = grown
        fresh = words[self._place_of[words] == 0]
        self._place_of[fresh] = len(self._stems) + np.arange(len(fresh))
        self._stems.extend(self._lexicon.stems(fresh))
        self._vectors.extend(self._lexicon.vectors(fresh))

    def likest(self, ids: Ids) -> Matrix:
        """For each asked word the squared cosine of each turn's likest word: (ids, turns).

        1 where the turn has a word of the same stem, 0 where it has none at all.
        """
        best = np.zeros((len(ids), self._turns), dtype=np.float32)
        if len(self._lines):
            for row, likeness in zip(best, self._likeness(ids), strict=True):
                of_lines = np.take(likeness, self._columns).max(axis=0)
                row[self._owners.values] = np.maximum.reduceat(of_lines, self._starts.values)
        return best

    @cached_property
    def _columns(self) -> npt.NDArray[np.int64]:
        """The lines side by side, (16, lines): the highest of each is found many at a time."""
        return np.ascontiguousarray(self._lines.values.T)

    def _likeness(self, ids: Ids) -> Matrix:
        cosines = self._lexicon.vectors(ids) @ self._vectors.values.T
        likeness: Matrix = np.clip(cosines, 0.0, 1.0) ** 2
        likeness[self._lexicon.stems(ids)[:, None] == self._stems.values[None, :]] = 1.0
        return likeness
