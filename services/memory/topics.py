"""What turns are about, with those beside them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from services.memory.beside import Beside
from services.memory.growing import Growing
from services.memory.lexicon import DIMENSION, Ids, Matrix
from services.memory.scores import Scores
from services.memory.turns import Turn

_NEAREST = 1e-9


class Topics:
    """The topic of each turn together with those right before and after it, at length 1."""

    def __init__(self) -> None:
        self._own = Growing(np.float32, (DIMENSION,))
        self._near = Growing(np.float32, (DIMENSION,))
        self._square = Growing(np.float64)  # 1, and 0 for turns without a topic
        self._sum = np.zeros(DIMENSION)

    def extend(self, turns: Sequence[Turn], beside: Beside, earlier: Ids) -> None:
        """Adds turns that `beside` knows already; `earlier` stand beside one of them."""
        first = len(self._own)
        self._own.extend(np.stack([turn.topic for turn in turns]))
        self._near.extend(np.zeros((len(turns), DIMENSION), dtype=np.float32))
        self._square.extend(np.zeros(len(turns)))
        fresh = np.arange(first, len(self._own))
        self._look_at(np.concatenate([earlier, fresh]), beside)

    def _look_at(self, rows: Ids, beside: Beside) -> None:
        own, near = self._own.values, self._near.values
        before, after = beside.pair(rows).T
        together = own[rows] + _or_none(own, before) + _or_none(own, after)
        self._sum -= near[rows].sum(axis=0)
        near[rows] = normalised(together)
        self._sum += near[rows].sum(axis=0)
        self._square.values[rows] = near[rows].any(axis=1)

    def fits(self, asked: npt.NDArray[np.float32]) -> Scores:
        """Cosines of what is asked, shape (256,), with each turn's topic, about their centre."""
        near = self._near.values
        centre = (self._sum / len(near)).astype(np.float32)
        toward = normalised((normalised(asked[None, :])[0] - centre)[None, :])[0]
        along, middle = (near @ np.stack([toward, centre], axis=1)).T.astype(np.float64)
        square = self._square.values - 2 * middle + centre @ centre
        apart = np.sqrt(np.maximum(square, 0.0))
        return np.asarray((along - centre @ toward) / np.maximum(apart, _NEAREST))


def normalised(vectors: Matrix) -> Matrix:
    """Rows of length 1; rows of zeros stay."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-9), dtype=np.float32)


def _or_none(vectors: Matrix, rows: Ids) -> Matrix:
    """The vectors of rows, zeros where a row is -1."""
    return np.where((rows >= 0)[:, None], vectors[rows], np.float32(0.0))
