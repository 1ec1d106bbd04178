"""Which turns stand beside which."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from services.memory.growing import Growing
from services.memory.lexicon import Ids
from services.memory.scores import Scores
from services.memory.turns import Place, Turn

_REACH = 2
_STEPS = (-2, -1, 1, 2)


class Beside:
    """For each turn the positions of those from two before to two after it, -1 where none is."""

    def __init__(self) -> None:
        self._positions: dict[Place, int] = {}
        self._near = Growing(np.int64, (2 * _REACH + 1,))

    def extend(self, turns: Sequence[Turn]) -> Ids:
        """Adds turns; says which of the earlier ones stand beside them."""
        first = len(self._near)
        for at, turn in enumerate(turns, start=first):
            if turn.place:
                self._positions[turn.place] = at
        near = np.full((len(turns), 2 * _REACH + 1), -1, dtype=np.int64)
        near[:, _REACH] = np.arange(first, first + len(turns))
        for row, turn in zip(near, turns, strict=True):
            if turn.place:
                soma, ordinal = turn.place
                for step in _STEPS:
                    row[_REACH + step] = self._positions.get((soma, ordinal + step), -1)
        self._near.extend(near)
        return self._tell_earlier(near, first)

    def _tell_earlier(self, near: npt.NDArray[np.int64], first: int) -> Ids:
        earlier = (near >= 0) & (near < first)
        rows, columns = np.nonzero(earlier)
        told = near[rows, columns]
        # Whoever is two after me has me two before.
        self._near.values[told, 2 * _REACH - columns] = near[rows, _REACH]
        return np.unique(told)

    def pair(self, rows: Ids | slice) -> Ids:
        """The positions right before and after some turns: (rows, 2)."""
        return np.asarray(self._near.values[rows][:, [_REACH - 1, _REACH + 1]])

    def summed(self, values: npt.NDArray[np.int64]) -> Scores:
        """The sum over each turn and the two before and after it."""
        return np.asarray(np.append(values, 0)[self._near.values].sum(axis=1), dtype=np.float64)

    def counted(self, positions: Sequence[int]) -> npt.NDArray[np.int64]:
        """How often each turn is near one of these, the turn itself among them."""
        near = self._near.values[np.asarray(positions, dtype=np.int64)].ravel()
        return np.bincount(near[near >= 0], minlength=len(self._near))

    def highest(self, values: Scores) -> Scores:
        """The higher value of the turns right before and after; 0 where there is none."""
        pair = self.pair(slice(None))
        return np.asarray(np.append(values, 0.0)[pair].max(axis=1), dtype=np.float64)
