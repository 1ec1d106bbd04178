"""Episodes that say again what was said: merged into the first, so that no word is lost."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.memory.records import LABEL_LIMIT, Record
from services.memory.stop_words import STOP_WORDS
from services.memory.words import indexable, words_in

REPEATED = "repeated"  # label: how often it was said
LAST_SAID = "last_said_at"  # label: when last, ISO 8601

# "Yes." answers another question each time: only what stands by itself is the same thing again.
_STANDS_ALONE = 4


@dataclass(frozen=True, slots=True)
class Merge:
    """The record that stays, with its labels, and those that it stands for."""

    kept: Record
    merged: tuple[Record, ...]


def merges(episodes: Sequence[Record]) -> list[Merge]:
    """Episodes of one Soma whose words are the same, by the same speaker, in their order.

    Case, punctuation and spaces may differ, and nothing else: another number, name or "not" says
    something else. At least four of the words must be no stop words.
    """
    groups: dict[tuple[str, ...], list[Record]] = {}
    for episode in episodes:
        words = words_in(indexable(episode.text))
        if sum(word not in STOP_WORDS for word in words) >= _STANDS_ALONE:
            groups.setdefault((episode.speaker, *words), []).append(episode)
    found = (_merge(group) for group in groups.values() if len(group) > 1)
    return [merge for merge in found if len(merge.kept.metadata) <= LABEL_LIMIT]


def _merge(group: Sequence[Record]) -> Merge:
    first, *others = group
    # One that stood for others before brings their number along.
    count = sum(_count(record) for record in group)
    last = max(record.metadata.get(LAST_SAID, record.created_at.isoformat()) for record in group)
    labels = {**first.metadata, REPEATED: str(count), LAST_SAID: last}
    importance = max(record.importance for record in group)
    kept = replace(first, metadata=labels, importance=importance)
    return Merge(kept, tuple(others))


def _count(record: Record) -> int:
    told = record.metadata.get(REPEATED, "")
    return int(told) if told.isascii() and told.isdigit() and len(told) < 10 else 1
