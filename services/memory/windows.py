"""Turns as searches judge them, each together with those beside it."""

from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from functools import cached_property

import numpy as np
import numpy.typing as npt

from services.memory.beside import Beside
from services.memory.growing import Growing
from services.memory.lexicon import Ids, Lexicon
from services.memory.scores import Scores
from services.memory.topics import Topics
from services.memory.turns import Turn
from services.memory.vocabulary import Vocabulary


class Windows:
    """What is the same for any query. Grows by new turns; used by one thread at a time."""

    def __init__(self, lexicon: Lexicon, turns: Sequence[Turn] = ()) -> None:
        self.turns: list[Turn] = []
        self.vocabulary = Vocabulary(lexicon)
        self.topics = Topics()
        self._beside = Beside()
        self._postings: dict[int, list[int]] = {}
        self._sizes = Growing(np.int64)
        self._statements = Growing(np.float64)
        self._speakers = _Kinds()
        self._somas = _Kinds()
        self.extend(turns)

    def extend(self, turns: Sequence[Turn]) -> None:
        """Adds turns."""
        if not turns:
            return
        for at, turn in enumerate(turns, start=len(self.turns)):
            for stem in turn.stems.tolist():
                self._postings.setdefault(stem, []).append(at)
        self.turns.extend(turns)
        self.vocabulary.extend([turn.words for turn in turns])
        self.topics.extend(turns, self._beside, self._beside.extend(turns))
        self._sizes.extend(np.array([len(turn.stems) for turn in turns]))
        self._statements.extend(np.array([float(not turn.asks) for turn in turns]))
        self._speakers.extend([turn.speaker for turn in turns])
        self._somas.extend([turn.soma for turn in turns])
        self.__dict__.pop("lengths", None)

    def occurrences(self, stem: int) -> npt.NDArray[np.int64]:
        """How often a stem is in each turn and the two before and after it."""
        return self._beside.counted(self._postings.get(stem, ()))

    @cached_property
    def lengths(self) -> Scores:
        """How many words of each turn, and of the two before and after it, count."""
        return self._beside.summed(self._sizes.values)

    def best_beside(self, values: Scores) -> Scores:
        """The higher value of the turns right before and after; 0 where there is none."""
        return self._beside.highest(values)

    def spoken_by(self, named: frozenset[str]) -> Scores:
        """1 for turns of a speaker that has one of the names."""
        return self._speakers.scores(lambda words: float(bool(words & named)))

    def of_soma(self, score: Callable[[str], float]) -> Scores:
        """What each turn's Soma scores."""
        return self._somas.scores(score)

    def said_at(self, score: Callable[[datetime], float]) -> Scores:
        """What each turn's time scores."""
        return np.array([score(turn.created_at) for turn in self.turns])

    @property
    def statements(self) -> Scores:
        """1 for turns that are no question."""
        return np.asarray(self._statements.values, dtype=np.float64)


class _Kinds:
    """Values of which many turns have the same."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._kind = Growing(np.int64)

    def extend(self, values: Sequence[Hashable]) -> None:
        numbers = self._numbers
        kinds: Ids = np.array([numbers.setdefault(value, len(numbers)) for value in values])
        self._kind.extend(kinds)

    def scores(self, score: Callable[..., float]) -> Scores:
        return np.asarray(np.array([score(value) for value in self._numbers])[self._kind.values])
