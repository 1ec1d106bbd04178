"""Turns the evidence for each candidate into one score. Pure numpy; nothing here is a gate.

Vector and word scores are min-max normalised and added (Bruch et al., "An Analysis of Fusion
Functions for Hybrid Retrieval", TOIS 2023: convex combination beats rank fusion). Around that
base lies a prior: how well the whole Soma fits, how well the turns beside it fit, and whether
the query names its speaker.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.memory.embedder import Vector
from services.memory.store import Candidates
from services.memory.words import words_of

Scores = npt.NDArray[np.float64]

_STRONGEST = 5  # a Soma is judged by its best turns, so that long ones do not drown


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each part counts. Measured on conversations; see benchmarks/memory_recall.py."""

    vector: float = 0.5
    text: float = 0.5
    soma: float = 0.35
    before: float = 0.3
    after: float = 0.1
    speaker: float = 0.1

    @property
    def prior(self) -> float:
        """Weight of the whole prior."""
        return self.soma + self.before + self.after + self.speaker


@dataclass(frozen=True, slots=True)
class Fused:
    """One entry per candidate in every part; parts are from 0 to 1, `score` is their sum."""

    score: Scores
    vector: Scores
    text: Scores
    prior: Scores


def fuse(
    episodes: Candidates,
    summaries: Candidates | None,
    query: Vector,
    named: frozenset[str],
    weights: Weights,
) -> Fused:
    """Scores the episodes.

    `summaries` are level-1 rows of the same namespace, if any; `query` has shape (dimension,);
    `named` are the words of the query that name speakers.
    """
    vector, text = _parts(episodes, query)
    base = weights.vector * vector + weights.text * text
    before, after = _neighbours(episodes, base / (weights.vector + weights.text))
    spoken = np.array([bool(words_of(name) & named) for name in episodes.speakers], dtype=float)
    prior = (
        weights.soma * _soma_fit(episodes, vector, text, summaries, query)
        + weights.before * before
        + weights.after * after
        + weights.speaker * spoken
    ) / weights.prior
    return Fused(base + weights.prior * prior, vector, text, prior)


def spread(values: Scores) -> Scores:
    """Min-max to 0..1; all ones where nothing tells the values apart."""
    if values.size == 0:
        return values
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.ones_like(values)


def _share(values: Scores) -> Scores:
    """Against the highest, so that 0 stays 0: no word matched."""
    high = values.max(initial=0.0)
    return values / high if high > 0 else np.zeros_like(values)


def _parts(rows: Candidates, query: Vector) -> tuple[Scores, Scores]:
    vector = spread((rows.vectors @ query).astype(np.float64))
    return vector, _share(np.array(rows.text_scores, dtype=np.float64))


def _neighbours(rows: Candidates, base: Scores) -> tuple[Scores, Scores]:
    """The base scores of the turn before and the turn after; 0 where it is no candidate."""
    places = dict(zip(zip(rows.somas, rows.ordinals, strict=True), base, strict=True))
    beside = [
        [places.get((soma, ordinal + step), 0.0) if soma else 0.0 for step in (-1, 1)]
        for soma, ordinal in zip(rows.somas, rows.ordinals, strict=True)
    ]
    both = np.array(beside, dtype=np.float64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _soma_fit(
    rows: Candidates,
    vector: Scores,
    text: Scores,
    summaries: Candidates | None,
    query: Vector,
) -> Scores:
    """How well each candidate's Soma fits, 0.5 by vector and 0.5 by words."""
    somas, place = np.unique(np.array(rows.somas, dtype=object), return_inverse=True)
    by_vector = np.array(
        [np.sort(vector[place == s])[-_STRONGEST:].sum() for s in range(len(somas))]
    )
    by_text = np.sqrt(np.bincount(place, weights=text**2, minlength=len(somas)))
    fit = 0.5 * spread(by_vector) + 0.5 * _share(by_text)
    told = _summary_fit(summaries, query) if summaries is not None else {}
    fit = np.array([(f + told.get(soma, f)) / 2 for soma, f in zip(somas, fit, strict=True)])
    return fit[place]


def _summary_fit(summaries: Candidates, query: Vector) -> dict[str, float]:
    """The best fit of each Soma's summaries."""
    vector, text = _parts(summaries, query)
    fits: dict[str, float] = {}
    for soma, fit in zip(summaries.somas, 0.5 * vector + 0.5 * text, strict=True):
        fits[soma] = max(float(fit), fits.get(soma, 0.0))
    return fits
