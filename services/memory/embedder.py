"""Port: turns texts into vectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]  # shape (dimension,)
Vectors = npt.NDArray[np.float32]  # shape (rows, dimension)


@dataclass(frozen=True, slots=True)
class EmbedderIdentity:
    """What must be equal for two vectors to be comparable: `name` and length of the vectors."""

    name: str
    dimension: int


def unit_length(raw: Vectors) -> Vectors:
    """Vectors of length 1; zeros stay."""
    length = np.linalg.norm(raw, axis=1, keepdims=True)
    unit: Vectors = np.divide(raw, length, out=np.zeros_like(raw), where=length > 0)
    return unit


class Embedder(Protocol):
    """Texts to vectors; equal texts give equal vectors, in any batch."""

    @property
    def identity(self) -> EmbedderIdentity:
        """Who makes the vectors; stored with the table."""
        ...

    async def close(self) -> None:
        """Lets go of the model, after what is under way."""
        ...

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of shape (len(texts), dimension), float32, each of length 1 or all zeros.

        Never blocks the event loop. Raises Unavailable where the model behind it is away.
        """
        ...
