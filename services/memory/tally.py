"""What a store knows of its rows without reading them."""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from services.memory.additions import Additions
from services.memory.records import Level, Record
from services.memory.scope import Scope
from services.memory.store import SomaHead

_HEADS = 10_000  # Somas whose end is remembered


class Tally:
    """Speakers, row counts and revisions per namespace, and where the latest Somas go on.

    Speakers who were forgotten stay listed, and forgotten rows stay counted, until the next start.
    """

    def __init__(self) -> None:
        self._speakers: dict[str, set[str]] = {}
        self._rows: Counter[str] = Counter()
        self._kinds: set[tuple[str, Level]] = set()
        # Changes of one Soma, under None of any; and of rows that may be of any Soma.
        self._revisions: Counter[tuple[str, str | None]] = Counter()
        self._scattered: Counter[str] = Counter()
        self.additions = Additions()
        self._heads: OrderedDict[tuple[str, str], SomaHead] = OrderedDict()

    def count(self, namespace: str, level: Level, speaker: str, rows: int) -> None:
        """Takes note of rows."""
        self._kinds.add((namespace, level))
        self._speakers.setdefault(namespace, set()).add(speaker)
        self._rows[namespace] += rows

    def announce(self, records: Sequence[Record]) -> None:
        """Takes note of rows that are about to be visible."""
        self._kinds |= {(record.namespace, record.level) for record in records}

    def added(self, records: Sequence[Record]) -> None:
        """Takes note of new rows."""
        somas: dict[str, set[str]] = {}
        for record in records:
            self.count(record.namespace, record.level, record.speaker, 1)
            somas.setdefault(record.namespace, set()).add(record.soma)
            self._go_on(record)
        for namespace, own in somas.items():
            self._count_changes(namespace, own)
            new = [record for record in records if record.namespace == namespace]
            self.additions.add(namespace, self._revisions[namespace, None], new)

    def changed(self, namespace: str, somas: Iterable[str | None]) -> None:
        """Takes note that rows of some Somas changed; None is whichever Soma."""
        self.additions.other(namespace)
        self._count_changes(namespace, somas)

    def _count_changes(self, namespace: str, somas: Iterable[str | None]) -> None:
        self._revisions[namespace, None] += 1
        for soma in somas:
            if soma is None:
                self._scattered[namespace] += 1
            else:
                self._revisions[namespace, soma] += 1

    def lost(self, namespace: str, soma: str | None) -> None:
        """Takes note that rows are gone; None is of whichever Soma."""
        self.changed(namespace, [soma])
        for key in [key for key in self._heads if key[0] == namespace and soma in (None, key[1])]:
            del self._heads[key]

    def speakers(self, namespace: str) -> frozenset[str]:
        """See Store.speakers."""
        return frozenset(self._speakers.get(namespace, ()))

    def row_count(self, namespace: str) -> int:
        """See Store.row_count."""
        return self._rows[namespace]

    def admits_all(self, scope: Scope) -> bool:
        """Whether the scope admits every row that the table has had, or was announced to have."""
        narrowed = scope.somas or scope.excluded_somas or scope.filters
        admitted = {(scope.namespace, level) for level in scope.levels}
        return not narrowed and self._kinds <= admitted

    def revision(self, namespace: str, soma: str | None) -> int:
        """See Store.revision."""
        changes = self._revisions[namespace, soma]
        return changes + (self._scattered[namespace] if soma is not None else 0)

    def heads(self, namespace: str, somas: Sequence[str]) -> dict[str, SomaHead]:
        """Those of the Somas' ends that are remembered."""
        keys = ((namespace, soma) for soma in somas)
        return {key[1]: self._heads[key] for key in keys if key in self._heads}

    def keep_heads(self, namespace: str, heads: Mapping[str, SomaHead]) -> None:
        """Remembers where Somas go on."""
        for soma, head in heads.items():
            self._heads[namespace, soma] = head
            self._heads.move_to_end((namespace, soma))
        while len(self._heads) > _HEADS:
            self._heads.popitem(last=False)

    def _go_on(self, record: Record) -> None:
        head = self._heads.get((record.namespace, record.soma), SomaHead())
        if record.level is Level.SUMMARY:
            head = SomaHead(max(head.next_ordinal, record.ordinal), record.id)
        else:
            head = SomaHead(max(head.next_ordinal, record.ordinal + 1), head.summary_id)
        self.keep_heads(record.namespace, {record.soma: head})
