"""Judged rows in their order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np

from services.memory.candidates import Candidates, Row, Scored
from services.memory.evidence import Judged
from services.memory.query import Preferences
from services.memory.records import Record
from services.memory.scores import Scores, share, spread
from services.memory.turns import Turn


class Ranked(NamedTuple):
    """One row's place: its id, and how it came to its score."""

    id: str
    score: float
    vector: float
    text: float
    prior: float
    bonus: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """Orders rows by what was judged, and by what is preferred at a moment."""

    preferences: Preferences
    now: datetime

    def judged(self, rows: Sequence[Row | Record | Turn], judged: Judged) -> Iterator[Ranked]:
        """By all evidence."""
        return self._sorted(rows, judged.score, judged.vector, judged.text, judged.prior)

    def by_vector(self, found: Scored) -> Iterator[Ranked]:
        """By the vector of the whole text alone."""
        vector = spread(found.scores)
        return self._sorted(found.records, vector, vector, np.zeros_like(vector))

    def by_words(self, found: Scored) -> Iterator[Ranked]:
        """By BM25 of the words alone."""
        text = share(found.scores)
        return self._sorted(found.records, text, np.zeros_like(text), text)

    def by_both(self, found: Candidates) -> Iterator[Ranked]:
        """Half by the vector, half by the words."""
        vector, text = spread(found.similarities), share(found.text_scores)
        return self._sorted(found.rows, (vector + text) / 2, vector, text)

    def _sorted(
        self,
        rows: Sequence[Row | Record | Turn],
        score: Scores,
        vector: Scores,
        text: Scores,
        prior: Scores | float = 0.0,
    ) -> Iterator[Ranked]:
        """The highest scores first."""
        bonus = self._bonus(rows)
        parts = np.broadcast_arrays(score + bonus, vector, text, prior, bonus)
        table = np.stack(parts, axis=1)
        for place in np.argsort(-table[:, 0], kind="stable").tolist():
            yield Ranked(rows[place].id, *table[place].tolist())

    def _bonus(self, rows: Sequence[Row | Record | Turn]) -> Scores:
        if not self.preferences:
            return np.zeros(len(rows))
        bonus = self.preferences.bonus
        return np.array([bonus(row.created_at, row.importance, self.now) for row in rows])
