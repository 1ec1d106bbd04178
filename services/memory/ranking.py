"""Judged rows in their order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np

from services.memory.evidence import Judged
from services.memory.query import Mode, Preferences
from services.memory.records import Record
from services.memory.scores import share, spread
from services.memory.store import Candidates, Row, Scores


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

    def judged(self, rows: Sequence[Row | Record], judged: Judged) -> list[Ranked]:
        """By all evidence."""
        return self._sorted(rows, judged.score, judged.vector, judged.text, judged.prior)

    def in_mode(self, mode: Mode, found: Candidates) -> list[Ranked]:
        """By the vector alone, the words alone, or half and half."""
        vector, text = spread(found.similarities), share(found.text_scores)
        score = {Mode.FLAT: vector, Mode.KEYWORD: text, Mode.HYBRID: (vector + text) / 2}[mode]
        return self._sorted(found.rows, score, vector, text, np.zeros_like(score))

    def _sorted(self, rows: Sequence[Row | Record], *parts: Scores) -> list[Ranked]:
        """The highest scores first; `parts` are score, vector, text and prior."""
        bonus = self._bonus(rows)
        table = np.stack([parts[0] + bonus, *parts[1:], bonus], axis=1)
        order = np.argsort(-table[:, 0], kind="stable")
        return [
            Ranked(rows[place].id, *values)
            for place, values in zip(order.tolist(), table[order].tolist(), strict=True)
        ]

    def _bonus(self, rows: Sequence[Row | Record]) -> Scores:
        if not self.preferences:
            return np.zeros(len(rows))
        bonus = self.preferences.bonus
        return np.array([bonus(row.created_at, row.importance, self.now) for row in rows])
