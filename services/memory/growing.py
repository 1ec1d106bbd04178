"""Arrays that grow at their end."""

from typing import Any

import numpy as np
import numpy.typing as npt

_FIRST_ROOM = 256


class Growing:
    """Entries of one shape in a row; adding costs as much as what is added, on average."""

    def __init__(self, dtype: npt.DTypeLike, shape: tuple[int, ...] = ()) -> None:
        self._room: npt.NDArray[Any] = np.empty((_FIRST_ROOM, *shape), dtype=dtype)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def values(self) -> npt.NDArray[Any]:
        """The entries, shape (len, *shape): no copy, so what is written there stays."""
        return self._room[: self._count]

    def extend(self, entries: npt.NDArray[Any]) -> None:
        """Adds entries at the end."""
        count = self._count + len(entries)
        if count > len(self._room):
            shape = (max(count, 2 * len(self._room)), *self._room.shape[1:])
            room = np.empty(shape, dtype=self._room.dtype)
            room[: self._count] = self.values
            self._room = room
        self._room[self._count : count] = entries
        self._count = count
