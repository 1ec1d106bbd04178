"""Turns the evidence for each candidate into one score. Pure numpy; nothing here is a gate.

Vector and word scores are min-max normalised and added (Bruch et al., "An Analysis of Fusion
Functions for Hybrid Retrieval", TOIS 2023: convex combination beats rank fusion). Around that
base lies a prior: how well the whole Soma fits, how well the turns beside it fit, and whether
the query names its speaker.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from services.memory.store import Candidates, Scores
from services.memory.words import words_of

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


def fuse(rows: Candidates, summaries: Candidates, named: frozenset[str], weights: Weights) -> Fused:
    """Scores the rows.

    `summaries` are level-1 rows, of which each speaks for its whole Soma; `named` are the words
    of the query that name speakers.
    """
    vector, text = spread(rows.similarities), share(rows.text_scores)
    base = weights.vector * vector + weights.text * text
    before, after = _neighbours(rows, base / (weights.vector + weights.text))
    meant = {name: bool(words_of(name) & named) for name in set(rows.speakers)}
    spoken = np.array([meant[name] for name in rows.speakers], dtype=np.float64)
    prior = (
        weights.soma * _soma_fit(rows, vector, text, _summary_fit(summaries))
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


def share(values: Scores) -> Scores:
    """Against the highest, so that 0 stays 0: no word matched."""
    high = values.max(initial=0.0)
    return values / high if high > 0 else np.zeros_like(values)


def _neighbours(rows: Candidates, base: Scores) -> tuple[Scores, Scores]:
    """The base scores of the turn before and the turn after; 0 where it is no candidate."""
    keys = list(zip(rows.somas, rows.ordinals, strict=True))
    scores = {key: score for key, score in zip(keys, base, strict=True) if key[0]}
    return (
        np.array([scores.get((soma, ordinal - 1), 0.0) for soma, ordinal in keys]),
        np.array([scores.get((soma, ordinal + 1), 0.0) for soma, ordinal in keys]),
    )


def _soma_fit(rows: Candidates, vector: Scores, text: Scores, told: Mapping[str, float]) -> Scores:
    """How well each row's Soma fits, 0.5 by vector and 0.5 by words.

    Judged by its best turns, and where it has a summary, as much by that.
    """
    somas, place = np.unique(np.array(rows.somas, dtype=object), return_inverse=True)
    best = [np.sort(vector[place == soma])[-_STRONGEST:].sum() for soma in range(len(somas))]
    words = np.sqrt(np.bincount(place, weights=text**2, minlength=len(somas)))
    turns = 0.5 * spread(np.array(best, dtype=np.float64)) + 0.5 * share(words)
    fit = [(own + told.get(soma, own)) / 2 for soma, own in zip(somas, turns, strict=True)]
    return np.array(fit, dtype=np.float64)[place]


def _summary_fit(summaries: Candidates) -> dict[str, float]:
    """The best fit of each Soma's summaries."""
    fits = 0.5 * spread(summaries.similarities) + 0.5 * share(summaries.text_scores)
    best: dict[str, float] = {}
    for soma, fit in zip(summaries.somas, fits, strict=True):
        best[soma] = max(float(fit), best.get(soma, 0.0))
    return best
