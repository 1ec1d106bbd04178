"""What a persona remembers when it is spoken to.

People ask about facts. Their earlier questions have the same words as the question of now, and
would fill all places if they counted; so a text that only asks is never recalled. The persona's
own words count half, and not at all beside much better hits: mostly they repeat what they were
asked. What scores far less than the best hit is about something else: leaving it out costs a tenth
of a point of recall at 5 on LoCoMo, and a small model has less to mix up. Whatever a person called
wrong is not recalled.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from services.supervisor.memory import USER, Found, Memory, namespace_of
from services.supervisor.prompt import MEMORY_LIMIT
from services.supervisor.soma import Recollection
from shared.errors import BatosError, InvalidArgument

# More than are shown, since some are left out again.
_SEARCH_LIMIT = 24
_QUERY_CHARACTERS = 2000
_OWN_WORDS_WEIGHT = 0.5
_FLOOR = 0.6  # of the best hit's score: what has less is about something else
_OWN_WORDS_FLOOR = 0.45
_SENTENCE = re.compile(r"[^.!?…。！？؟\n]+[.!?…。！？؟]*")
_QUESTION_MARKS = ("?", "？", "؟")

TurnKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Recalled:
    """The memories for a turn, best first; `unavailable` where Memory could not be asked."""

    recollections: tuple[Recollection, ...] = ()
    unavailable: bool = False


class Disowned(Protocol):
    """Knows which turns people called wrong."""

    async def disowned(self, turns: Collection[TurnKey]) -> Collection[TurnKey]:
        """Those of the turns (Soma name, number) that were rated bad or corrected."""


class Settling(Protocol):
    """Knows whether what was said has reached Memory."""

    async def settled(self, seconds: float) -> None:
        """Waits, at most so long, until it has, or until trying is of no use now."""


class Recall:
    """Recalls for a persona. Never raises and never hangs: without Memory, nothing is recalled."""

    def __init__(
        self, memory: Memory, disowned: Disowned, settling: Settling, seconds: float
    ) -> None:
        self._memory = memory
        self._disowned = disowned
        self._settling = settling
        self._seconds = seconds

    async def recall(self, persona: str, text: str, asking_soma: str) -> Recalled:
        """Memories of other Somas that bear on a text; each step takes `seconds` at most."""
        query = text[:_QUERY_CHARACTERS].strip()
        if not query:
            return Recalled()
        await self._settling.settled(self._seconds)
        try:
            found = await self._memory.search(
                namespace_of(persona), query, _SEARCH_LIMIT, asking_soma, self._seconds
            )
        except InvalidArgument:
            return Recalled()  # Memory is there and finds nothing to search for in this text
        except BatosError:
            return Recalled(unavailable=True)
        disowned = await self._disowned.disowned({_key(hit) for hit in found if hit.turn})
        return Recalled(tuple(ranked(persona, found, disowned)[:MEMORY_LIMIT]))


def ranked(
    persona: str, found: Sequence[Found], disowned: Collection[TurnKey]
) -> list[Recollection]:
    """What is worth recalling, best first, each text once; scores as weighed here."""
    kept: dict[str, Recollection] = {}
    for recollection in _weighed(persona, found, disowned):
        words = " ".join(recollection.text.casefold().split())
        if words not in kept or kept[words].score < recollection.score:
            kept[words] = recollection
    best = max((recollection.score for recollection in kept.values()), default=0.0)
    return sorted(
        (
            r
            for r in kept.values()
            if r.score >= best * (_OWN_WORDS_FLOOR if r.speaker == persona else _FLOOR)
        ),
        key=lambda r: -r.score,
    )


def only_asks(text: str) -> bool:
    """True where every sentence of a text is a question."""
    sentences = [s.strip() for s in _SENTENCE.findall(text) if s.strip()]
    return bool(sentences) and all(s.endswith(_QUESTION_MARKS) for s in sentences)


def _weighed(
    persona: str, found: Sequence[Found], disowned: Collection[TurnKey]
) -> Iterator[Recollection]:
    for hit in found:
        recollection = hit.recollection
        if recollection.speaker == USER:
            if not only_asks(recollection.text):
                yield recollection
        elif hit.correction or recollection.speaker != persona:
            yield recollection
        elif _key(hit) not in disowned:
            yield replace(recollection, score=recollection.score * _OWN_WORDS_WEIGHT)


def _key(hit: Found) -> TurnKey:
    return hit.recollection.soma, hit.turn
