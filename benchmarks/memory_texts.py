"""Synthetic memories: texts about topics, so that their vectors lie in clusters."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import wordllama

_TOPICS = 2_000
_TOPIC_WORDS = 25
_OWN, _COMMON = 8, 4


class Texts:
    """An endless source of texts of twelve words: eight of one topic, four common ones.

    A topic is a word with those of the nearest meaning; common words are drawn by Zipf's law.
    """

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._words, vectors = _vocabulary()
        topics = np.random.default_rng(0).choice(len(self._words), _TOPICS, replace=False)
        nearest = [np.argpartition(-(vectors @ vectors[word]), _TOPIC_WORDS) for word in topics]
        self._topics = np.stack([each[:_TOPIC_WORDS] for each in nearest])
        shares = 1 / np.arange(1, len(self._words) + 1)
        self._shares = np.cumsum(shares / shares.sum())

    def draw(self, count: int) -> list[str]:
        """So many new texts."""
        topics = self._random.integers(0, _TOPICS, count)[:, None]
        own = self._topics[topics, self._random.integers(0, _TOPIC_WORDS, (count, _OWN))]
        common = np.searchsorted(self._shares, self._random.random((count, _COMMON)))
        places = np.concatenate([own, common.clip(max=len(self._words) - 1)], axis=1)
        return [" ".join(self._words[place] for place in row) for row in places.tolist()]


def _vocabulary() -> tuple[list[str], npt.NDArray[np.float32]]:
    """Plain words of WordLlama's tokenizer, and their unit vectors, shape (words, 256)."""
    model = wordllama.WordLlama.load(
        cache_dir=Path(wordllama.__file__).parent, dim=256, disable_download=True
    )
    known = model.tokenizer.get_vocab()
    words = sorted(word for word in known if word.isalpha() and word.isascii() and len(word) > 2)
    words = words[:: max(1, len(words) // 20_000)]
    vectors = np.asarray(model.embedding[[known[word] for word in words]], dtype=np.float32)
    return words, vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
