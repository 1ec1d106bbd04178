"""A summary without a model: the most central sentences of a Soma, who spoke, when, and of whom.

Sentences are chosen as SumBasic does (Nenkova and Vanderwende, "The Impact of Frequency on
Summarization", 2005): by how common their words are in the whole, words that were told once count
less afterwards.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import Stemmer

from services.memory.candidates import Row
from services.memory.records import Record
from services.memory.stop_words import STOP_WORDS
from services.memory.words import indexable, words_in

LENGTH = 1_500  # characters, less what the last sentence goes beyond
_NAMES = 12
_SENTENCES = 5_000  # of a longer Soma, evenly taken ones
_SHORTEST = 3  # words that say something, in a sentence that may be chosen
_LONGEST = 600  # characters of it
_RIVALS = 4  # so many that contradict it stand beside a sentence, the latest ones

_NOT = "not"
_NEGATIONS = frozenset(
    {"not", "no", "never", "none", "nor", "cannot", "don", "doesn", "didn", "isn", "aren", "wasn"}
    | {"weren", "won", "wouldn", "couldn", "shouldn", "hasn", "haven", "hadn"}
)
_END = re.compile(r"(?<=[.!?…])\s+|\n+|(?<=[。！？])")
# Capitals within a sentence: at its beginning they say nothing.
_NAME = re.compile(r"(?<=[a-z,;:] )[A-Z][\w'-]+(?: [A-Z][\w'-]+)*")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence; `stems` are those of its words that say something, each once."""

    place: int
    speaker: str
    day: date
    text: str
    stems: frozenset[str]

    def contradicts(self, other: "Sentence") -> bool:
        """Whether it says something else of the same thing: most words are the same, not all."""
        same = self.stems & other.stems
        both = self.stems | other.stems
        return (
            self.speaker == other.speaker
            and self.stems != other.stems
            and len(same) >= max(2, len(both) - 2)
        )


def summary_of(episodes: Sequence[Record | Row]) -> str:
    """Who, when, the central sentences in their order, and names; "" where nothing was said."""
    if not episodes:
        return ""
    chosen = sorted(_chosen(_sentences(episodes)), key=lambda sentence: sentence.place)
    speakers = [name for name in dict.fromkeys(row.speaker for row in episodes) if name]
    day, last = _span(episodes)
    speaker = ""
    parts = [", ".join([_told(day, last), *([_listed(speakers)] if speakers else [])]) + "."]
    for sentence in chosen:
        if sentence.day != day:
            day, speaker = sentence.day, ""
            parts.append(f"On {_day(day)}")
        if sentence.speaker != speaker:
            speaker = sentence.speaker
            parts.append(f"{speaker}:")
        parts.append(sentence.text)
    if names := _names(episodes, speakers):
        parts.append(f"Named: {', '.join(names)}.")
    return " ".join(parts)


def _sentences(episodes: Sequence[Record | Row]) -> list[Sentence]:
    stemmer = Stemmer.Stemmer("english")
    found: list[Sentence] = []
    for row in episodes:
        for text in _END.split(row.text):
            words = [word for word in words_in(indexable(text)) if word not in STOP_WORDS]
            if len(words) >= _SHORTEST and len(text) <= _LONGEST:
                stems = frozenset(stemmer.stemWords(words)) | _negation(text)
                day = row.created_at.date()
                found.append(Sentence(len(found), row.speaker, day, " ".join(text.split()), stems))
    step = max(1, -(-len(found) // _SENTENCES))
    return found[::step]


def _negation(text: str) -> frozenset[str]:
    """ "I like tea" and "I do not like tea" differ in a stop word, and in all else."""
    return frozenset({_NOT}) if _NEGATIONS.intersection(words_in(text)) else frozenset()


def _chosen(sentences: list[Sentence]) -> Iterator[Sentence]:
    """Central sentences, and beside each those that contradict it, until they are long enough."""
    counts = Counter(stem for sentence in sentences for stem in sentence.stems)
    counts[_NOT] = 0
    left = {sentence.place: sentence for sentence in sentences}
    length = 0
    while left and length < LENGTH:
        best = max(left.values(), key=lambda sentence: _weight(sentence, counts))
        rivals = [other for other in left.values() if other.contradicts(best)]
        told = [best, *rivals[-_RIVALS:]]
        for sentence in told:
            length += len(sentence.text)
            yield sentence
        for stem in frozenset().union(*(sentence.stems for sentence in told)):
            counts[stem] = 0  # told
        left = {place: each for place, each in left.items() if not _is_told(each, told)}


def _is_told(sentence: Sentence, told: Iterable[Sentence]) -> bool:
    return any(sentence.stems == other.stems or sentence is other for other in told)


def _weight(sentence: Sentence, counts: Counter[str]) -> float:
    return sum(counts[stem] for stem in sentence.stems) / len(sentence.stems)


def _names(episodes: Sequence[Record | Row], speakers: Sequence[str]) -> list[str]:
    """The most frequent names that are not those of speakers."""
    said = Counter(name for row in episodes for name in _NAME.findall(row.text))
    own = {word for speaker in speakers for word in words_in(speaker)}
    silent = own | STOP_WORDS
    others = (name for name, _ in said.most_common() if not silent.issuperset(words_in(name)))
    return [name for name, _ in zip(others, range(_NAMES), strict=False)]


def _listed(names: Sequence[str]) -> str:
    first, last = names[:-1], names[-1]
    return f"{', '.join(first)} and {last}" if first else last


def _span(episodes: Sequence[Record | Row]) -> tuple[date, date]:
    days = [row.created_at.date() for row in episodes]
    return min(days), max(days)


def _told(first: date, last: date) -> str:
    return _day(first) if first == last else f"{_day(first)} to {_day(last)}"


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
