"""What speaks for each turn: its words and those around it, its topic, who said it and when.

The parts are min-max normalised and added (Bruch et al., "An Analysis of Fusion Functions for
Hybrid Retrieval", TOIS 2023: a convex combination beats rank fusion). Nothing here is a gate. Pure
numpy.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from services.memory.asked_dates import AskedDates
from services.memory.frequencies import Frequencies
from services.memory.lexicon import Ids, Lexicon
from services.memory.scores import Scores, spread
from services.memory.windows import Windows
from services.memory.words import words_of

# BM25+ (Lv and Zhai, "Lower-Bounding Term Frequency Normalization", CIKM 2011).
_K1, _B, _DELTA = 0.9, 0.4, 1.0
# Of a longer question the beginning counts.
_READ_WORDS = 512
_QUERY_WORDS = 48


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each part counts. docs/memory.md has the reason and the worth of each."""

    window: float = 1.0
    words: float = 1.0
    topic: float = 0.7
    speaker: float = 0.6
    date: float = 0.5
    beside: float = 0.3
    summary: float = 0.2
    statement: float = 0.1

    @property
    def vector(self) -> float:
        """Weight of the two parts that come of vectors."""
        return self.words + self.topic

    @property
    def prior(self) -> float:
        """Weight of the whole prior."""
        return self.speaker + self.date + self.beside + self.summary + self.statement


@dataclass(frozen=True, slots=True)
class Question:
    """The analysed query: `ids` are the words that count, `named` those that name speakers."""

    ids: Ids
    named: frozenset[str]
    dates: AskedDates

    @classmethod
    def of(cls, text: str, names: frozenset[str], lexicon: Lexicon) -> "Question":
        """Analyses a query; `names` are those of its words that name speakers."""
        every = lexicon.ids(text, _READ_WORDS)
        named = lexicon.ids_of(names)
        topic = lexicon.speaking(every)
        topic = topic[~np.isin(topic, named)]
        ids = topic if topic.size else every
        _, first = np.unique(ids, return_index=True)
        return cls(ids[np.sort(first)][:_QUERY_WORDS], names, AskedDates.of(text))


@dataclass(frozen=True, slots=True)
class Judged:
    """One entry per turn in every part; parts are from 0 to 1, `score` is their weighted sum."""

    score: Scores
    vector: Scores
    text: Scores
    prior: Scores


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges the turns of one namespace."""

    frequencies: Frequencies
    lexicon: Lexicon
    weights: Weights

    def question(self, text: str, names: frozenset[str]) -> Question:
        """Analyses a query to a namespace whose speakers have these names."""
        return Question.of(text, words_of(text) & names, self.lexicon)

    def judge(self, question: Question, windows: Windows, told: Mapping[str, float]) -> Judged:
        """Scores turns. `told` is how well the summaries of Somas fit, from 0 to 1."""
        weights = self.weights
        stems = self.lexicon.stems(question.ids)
        rarity = self.frequencies.rarity(stems)
        text = spread(_bm25(windows, stems, rarity))
        words = spread(_best_words(windows, question.ids, rarity))
        asked = rarity.astype(np.float32) @ self.lexicon.vectors(question.ids)
        topic = spread(windows.topics.fits(asked))
        vector = (weights.words * words + weights.topic * topic) / weights.vector
        prior = self._prior(question, windows, told, words) / weights.prior
        score = weights.vector * vector + weights.window * text + weights.prior * prior
        return Judged(score, vector, text, prior)

    def summaries(self, question: Question, windows: Windows) -> dict[str, float]:
        """How well the best summary of each Soma fits the question's words and topic, 0 to 1."""
        judged = self.judge(question, windows, {})
        best: dict[str, float] = {}
        for turn, fit in zip(windows.turns, (judged.vector + judged.text) / 2, strict=True):
            best[turn.soma] = max(float(fit), best.get(turn.soma, 0.0))
        return best

    def _prior(
        self, question: Question, windows: Windows, told: Mapping[str, float], words: Scores
    ) -> Scores:
        weights, dates = self.weights, question.dates
        total = weights.speaker * windows.spoken_by(question.named)
        total += weights.beside * windows.best_beside(words)
        total += weights.statement * windows.statements
        if dates:
            total += weights.date * windows.said_at(dates.fit)
        if told:
            total += weights.summary * windows.of_soma(lambda soma: told.get(soma, 0.0))
        return total


def _bm25(windows: Windows, stems: Ids, rarity: Scores) -> Scores:
    """BM25+ of a turn together with the two before and after it."""
    share = windows.lengths / max(windows.lengths.mean(), 1.0)
    total = np.zeros(len(share))
    for stem, weight in zip(stems, rarity, strict=True):
        occurrences = windows.occurrences(int(stem))
        found = np.flatnonzero(occurrences)
        count = occurrences[found]
        gain = _DELTA + count * (_K1 + 1) / (count + _K1 * (1 - _B + _B * share[found]))
        total[found] += weight * gain
    return total


def _best_words(windows: Windows, ids: Ids, rarity: Scores) -> Scores:
    """MaxSim: for each query word the squared cosine of the turn's likest word, by rarity.

    After Khattab and Zaharia, "ColBERT", SIGIR 2020, on vectors of words without context.
    """
    best = windows.vocabulary.likest(ids)
    return np.asarray(rarity @ best / max(float(rarity.sum()), 1e-9), dtype=np.float64)
