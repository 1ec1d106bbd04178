"""Texts that say nearly the same: MinHash (Broder 1997) names the pairs, Jaccard decides.

Of each text the set of its five-letter shingles is compared, case and punctuation aside. Sixteen
bands of four hashes find a pair at a Jaccard similarity of 0.9 with near certainty (1 - 10^-7).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

SIMILARITY = 0.9
_SHINGLE = 5
_BANDS, _ROWS = 16, 4
_PRIME = (1 << 61) - 1
# Fixed on purpose: the same texts must give the same answer on every machine.
_HASHES = [(6364136223846793005 * n % _PRIME, 1442695040888963407 * n) for n in range(1, 65)]
_WORD = re.compile(r"\w+")


def near_duplicates(texts: Sequence[str]) -> set[int]:
    """Places of the texts that are near to one before them; the first of its kind is none."""
    sets = [_shingles(text) for text in texts]
    buckets: dict[tuple[int, tuple[int, ...]], list[int]] = {}
    dropped: set[int] = set()
    for place, shingles in enumerate(sets):
        keys = _bands(shingles)
        candidates = {other for key in keys for other in buckets.get(key, ())}
        if any(_similarity(shingles, sets[other]) >= SIMILARITY for other in sorted(candidates)):
            dropped.add(place)
            continue
        for key in keys:
            buckets.setdefault(key, []).append(place)
    return dropped


def _shingles(text: str) -> frozenset[int]:
    plain = " ".join(_WORD.findall(text.casefold()))
    ends = range(max(1, len(plain) - _SHINGLE + 1))
    return frozenset(zlib.crc32(plain[start : start + _SHINGLE].encode()) for start in ends)


def _bands(shingles: frozenset[int]) -> list[tuple[int, tuple[int, ...]]]:
    least = [min((a * s + b) % _PRIME for s in shingles) for a, b in _HASHES]
    return [(band, tuple(least[band * _ROWS : (band + 1) * _ROWS])) for band in range(_BANDS)]


def _similarity(one: frozenset[int], other: frozenset[int]) -> float:
    return len(one & other) / len(one | other)
