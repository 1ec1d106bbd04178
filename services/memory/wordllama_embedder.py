"""Embedder on WordLlama: averaged token vectors of a language model, numpy only, no network.

Model: L2 Supercat, 256 dimensions, Matryoshka-trained (github.com/dleemiller/WordLlama, MIT).
"""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import wordllama

from services.memory.embedder import EmbedderIdentity, Vectors, unit_length

Dimension = Literal[64, 128, 256]

# A batch is padded to its longest text: this bounds its memory to about 64 MiB.
_BATCH_CHARACTERS = 64 * 1024
_BATCH_TEXTS = 64


class WordllamaEmbedder:
    """The built-in embedder. Its weights lie in the installed package."""

    def __init__(self, dimension: Dimension = 256) -> None:
        # The package's own lookup misses its own folder and then wants the network.
        self._model = wordllama.WordLlama.load(
            cache_dir=Path(wordllama.__file__).parent,
            dim=256,
            trunc_dim=dimension,
            disable_download=True,
        )
        self._identity = EmbedderIdentity(f"wordllama-{dimension}", dimension)
        # One thread: the tokenizer's padding state is not made for two.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embed")

    @property
    def identity(self) -> EmbedderIdentity:
        """`wordllama-<dimension>`."""
        return self._identity

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """See Embedder.embed."""
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, self._embed, list(texts)
        )

    async def close(self) -> None:
        """Ends the thread after what is under way."""
        await asyncio.to_thread(self._thread.shutdown)

    def _embed(self, texts: list[str]) -> Vectors:
        vectors = np.zeros((len(texts), self._identity.dimension), dtype=np.float32)
        for places in _batches(texts):
            raw = self._model.embed([texts[place] for place in places])
            vectors[places] = unit_length(raw)
        return vectors


def _batches(texts: Sequence[str]) -> Iterator[list[int]]:
    """Positions of texts of like length, so that little is padded and memory stays bounded."""
    batch: list[int] = []
    for place in sorted(range(len(texts)), key=lambda place: len(texts[place])):
        full = (len(batch) + 1) * len(texts[place]) > _BATCH_CHARACTERS
        if batch and (full or len(batch) == _BATCH_TEXTS):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch
