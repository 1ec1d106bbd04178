"""What a search has read of the rows: their words, once analysed, and what was said around them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from services.memory.frequencies import Frequencies
from services.memory.lexicon import DIMENSION, Ids, Lexicon
from services.memory.records import Level, Record
from services.memory.store import Row, Store
from services.memory.words import words_of

REACH = 3  # so many turns before and after a candidate take part in judging it
_LIMIT = 50_000  # turns kept analysed; some 60 MiB

Place = tuple[str, int]  # Soma and ordinal


@dataclass(frozen=True, slots=True)
class Turn:
    """An analysed row. `topic` has shape (256,): its words' vectors, weighted by their rarity."""

    id: str
    soma: str
    place: Place | None
    words: Ids
    stems: Ids
    speaker: frozenset[str]
    created_at: datetime
    asks: bool
    topic: npt.NDArray[np.float32]


class Turns:
    """Rows of one store and their analysis, kept until they change or there are too many."""

    def __init__(self, store: Store, lexicon: Lexicon) -> None:
        self._store = store
        self._lexicon = lexicon
        self._by_id: dict[str, tuple[Frequencies, Turn]] = {}
        # By Soma what was read of it, absences too, and the store's revision then.
        self._somas: dict[tuple[str, str], tuple[int, dict[int, Row | None]]] = {}

    async def around(self, namespace: str, rows: Iterable[Row]) -> Sequence[Row]:
        """The rows, and those that were said beside them in the same Soma; each once."""
        found = {row.id: row for row in rows}
        wanted: dict[str, set[int]] = {}
        for row in found.values():
            if row.soma and row.is_episode:
                near = range(max(0, row.ordinal - REACH), row.ordinal + REACH + 1)
                wanted.setdefault(row.soma, set()).update(near)
        for soma, ordinals in (await self._beside(namespace, wanted)).items():
            for ordinal in wanted[soma]:
                if neighbour := ordinals.get(ordinal):
                    found.setdefault(neighbour.id, neighbour)
        return list(found.values())

    def analysed(
        self, rows: Sequence[Row | Record], frequencies: Frequencies, names: frozenset[str]
    ) -> list[Turn]:
        """The rows' words; `names` are no topic. Computes, for a thread of its own."""
        if len(self._by_id) + len(rows) > _LIMIT:
            self._by_id.clear()
        named = self._lexicon.ids_of(names)
        return [self._turn(row, frequencies, named) for row in rows]

    async def _beside(
        self, namespace: str, wanted: Mapping[str, set[int]]
    ) -> Mapping[str, Mapping[int, Row | None]]:
        known: dict[str, tuple[int, dict[int, Row | None]]] = {}
        missing: dict[str, set[int]] = {}
        for soma, ordinals in wanted.items():
            revision = self._store.revision(namespace, soma)
            kept = self._somas.get((namespace, soma))
            known[soma] = kept if kept and kept[0] == revision else (revision, {})
            if absent := ordinals - known[soma][1].keys():
                missing[soma] = absent
        if missing:
            every = set().union(*missing.values())
            for row in await self._store.beside(namespace, list(missing), sorted(every)):
                known[row.soma][1][row.ordinal] = row
            for soma, absent in missing.items():
                for ordinal in absent:
                    known[soma][1].setdefault(ordinal, None)
        self._keep(namespace, known)
        return {soma: rows for soma, (_, rows) in known.items()}

    def _keep(self, namespace: str, known: Mapping[str, tuple[int, dict[int, Row | None]]]) -> None:
        if sum(len(rows) for _, rows in self._somas.values()) > _LIMIT:
            self._somas.clear()
        for soma, entry in known.items():
            self._somas[namespace, soma] = entry

    def _turn(self, row: Row | Record, frequencies: Frequencies, named: Ids) -> Turn:
        kept = self._by_id.get(row.id)
        if kept and kept[0] is frequencies:
            return kept[1]
        words = self._lexicon.ids(row.text)
        speaking = self._lexicon.speaking(words)
        stems = self._lexicon.stems(speaking)
        told = speaking[~np.isin(speaking, named)]
        rarity = frequencies.rarity(self._lexicon.stems(told)).astype(np.float32)
        topic = rarity @ self._lexicon.vectors(told) if told.size else np.zeros(DIMENSION)
        turn = Turn(
            id=row.id,
            soma=row.soma,
            place=(row.soma, row.ordinal) if row.soma and row.level is Level.EPISODE else None,
            words=words,
            stems=stems,
            speaker=words_of(row.speaker),
            created_at=row.created_at,
            asks=row.text.rstrip().endswith("?"),
            topic=np.asarray(topic, dtype=np.float32),
        )
        self._by_id[row.id] = (frequencies, turn)
        return turn
