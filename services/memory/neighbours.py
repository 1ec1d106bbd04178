"""What was said beside the rows that a search found."""

from collections.abc import Iterable, Mapping, Sequence

from services.memory.candidates import Row
from services.memory.store import Store

_REACH = 3  # so many turns before and after a candidate take part in judging it
_LIMIT = 50_000  # rows kept


class Neighbours:
    """Rows of one store by their places, kept until they change or there are too many."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # By Soma what was read of it, absences too, and the store's revision then.
        self._somas: dict[tuple[str, str], tuple[int, dict[int, Row | None]]] = {}

    async def around(self, namespace: str, rows: Iterable[Row]) -> Sequence[Row]:
        """The rows, and those that were said beside them in the same Soma; each once."""
        found = {row.id: row for row in rows}
        wanted: dict[str, set[int]] = {}
        for row in found.values():
            if row.soma and row.is_episode:
                near = range(max(0, row.ordinal - _REACH), row.ordinal + _REACH + 1)
                wanted.setdefault(row.soma, set()).update(near)
        for soma, ordinals in (await self._beside(namespace, wanted)).items():
            for ordinal in wanted[soma]:
                if neighbour := ordinals.get(ordinal):
                    found.setdefault(neighbour.id, neighbour)
        return list(found.values())

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
