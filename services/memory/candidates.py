"""Rows that a search may answer with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from services.memory.records import Level, Record
from services.memory.scores import Scores, share, spread


@dataclass(frozen=True, slots=True)
class Row:
    """As much of a record as judging it takes."""

    id: str
    level: Level
    soma: str
    ordinal: int
    speaker: str
    text: str
    created_at: datetime
    importance: float

    @property
    def is_episode(self) -> bool:
        """Whether it has a place in its Soma."""
        return self.level is Level.EPISODE


@dataclass(frozen=True, slots=True)
class Candidates:
    """Rows that a search may answer with, one entry per row in every part.

    `similarities` are cosines to the query's vector; `text_scores` are BM25 scores, 0 where no
    word matched.
    """

    rows: Sequence[Row]
    similarities: Scores
    text_scores: Scores

    @property
    def ids(self) -> list[str]:
        """The rows' ids, in their order."""
        return [row.id for row in self.rows]

    def best(self, limit: int) -> list[Row]:
        """At most so many rows, those with the best half-and-half of both scores."""
        order = np.argsort(-(spread(self.similarities) + share(self.text_scores)), kind="stable")
        return [self.rows[place] for place in order[:limit]]

    def of_level(self, level: Level) -> "Candidates":
        """The rows of one level."""
        places = [place for place, row in enumerate(self.rows) if row.level is level]
        return Candidates(
            [self.rows[place] for place in places],
            self.similarities[places],
            self.text_scores[places],
        )


@dataclass(frozen=True, slots=True)
class Scored:
    """Records with a score each: a cosine to a vector, or BM25."""

    records: Sequence[Record]
    scores: Scores
