"""Every word that was seen, once: its stem, its vector, whether it says anything.

Vectors are those of WordLlama's tokens (github.com/dleemiller/WordLlama, MIT), averaged over the
tokens of a word; stems are Snowball's (snowballstem.org) for English, which leave other languages
nearly as they are.
"""

import threading
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import Stemmer
import wordllama

from services.memory.stop_words import STOP_WORDS
from services.memory.words import indexable, words_in

Ids = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.float32]

DIMENSION = 256
# 64 MiB of vectors. Rarer words, which come later, are matched by their stem alone.
_VECTORS = 1 << 16
# A lexicon with so many words is given up for an empty one, so that none grows without end.
_WORDS = 1 << 18
_GROWTH = 1 << 12


class Lexicon:
    """Numbers words from 0 in the order in which they are first seen. Safe to use from threads."""

    def __init__(self) -> None:
        self._model = _model()
        self._stemmer = Stemmer.Stemmer("english")
        self._lock = threading.Lock()
        self._ids: dict[str, int] = {}
        self._stem_ids: dict[str, int] = {}
        self._stems = np.zeros(_GROWTH, dtype=np.int64)
        self._silent = np.zeros(_GROWTH, dtype=bool)
        self._vectors = np.zeros((_GROWTH, DIMENSION), dtype=np.float32)

    @property
    def is_full(self) -> bool:
        """Whether it is time for another one."""
        return len(self._ids) >= _WORDS

    def ids(self, text: str, limit: int | None = None) -> Ids:
        """The words of a text in their order, lower case; of more than `limit` the first."""
        words = words_in(indexable(text))[:limit]
        with self._lock:
            return np.array([self._id(word) for word in words], dtype=np.int64)

    def ids_of(self, words: frozenset[str]) -> Ids:
        """The ids of single words, in no order."""
        with self._lock:
            return np.array([self._id(word) for word in words], dtype=np.int64)

    def stems(self, ids: Ids) -> Ids:
        """The stem of each word, numbered from 0 too."""
        return self._stems[ids]

    def speaking(self, ids: Ids) -> Ids:
        """Those words that are no stop words."""
        return ids[~self._silent[ids]]

    def vectors(self, ids: Ids) -> Matrix:
        """Unit vectors, shape (len(ids), 256); zeros for words without one."""
        return self._vectors[np.minimum(ids, len(self._vectors) - 1)] * (ids < _VECTORS).astype(
            np.float32
        ).reshape(-1, 1)

    def _id(self, word: str) -> int:
        found = self._ids.get(word)
        return self._add(word) if found is None else found

    def _add(self, word: str) -> int:
        number = len(self._ids)
        if number == len(self._stems):
            self._grow()
        self._stems[number] = self._stem_ids.setdefault(
            self._stemmer.stemWord(word), len(self._stem_ids)
        )
        self._silent[number] = word in STOP_WORDS
        if number < _VECTORS:
            self._vectors[number] = self._vector(word)
        self._ids[word] = number  # last: what is found is complete
        return number

    def _grow(self) -> None:
        size = 2 * len(self._stems)
        self._stems = np.resize(self._stems, size)
        self._silent = np.resize(self._silent, size)
        if len(self._vectors) < _VECTORS:
            grown = np.zeros((min(size, _VECTORS), DIMENSION), dtype=np.float32)
            grown[: len(self._vectors)] = self._vectors
            self._vectors = grown

    def _vector(self, word: str) -> npt.NDArray[np.float32]:
        tokens = self._model.tokenizer.encode(word[:64], add_special_tokens=False).ids
        mean = self._model.embedding[tokens].mean(axis=0) if tokens else np.zeros(DIMENSION)
        length = float(np.linalg.norm(mean))
        return np.asarray(mean / length if length else mean, dtype=np.float32)


@cache
def _model() -> wordllama.WordLlamaInference:
    return wordllama.WordLlama.load(
        cache_dir=Path(wordllama.__file__).parent, dim=DIMENSION, disable_download=True
    )
