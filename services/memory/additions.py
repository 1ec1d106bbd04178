"""The records that were added to each namespace last, for those who have read all before."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.memory.records import Record

_RECORDS = 256  # of a namespace
_NAMESPACES = 256


@dataclass(slots=True)
class _Log:
    """All changes after the revision `begin`, each with the revision that it led to."""

    begin: int
    added: deque[tuple[int, Record]] = field(default_factory=deque)


class Additions:
    """Remembers additions as long as nothing else changes in their namespace."""

    def __init__(self) -> None:
        self._logs: dict[str, _Log] = {}

    def add(self, namespace: str, revision: int, records: Sequence[Record]) -> None:
        """Takes note of records whose addition led to a revision, from the one right before."""
        if len(self._logs) > _NAMESPACES:
            self._logs.clear()
        log = self._logs.setdefault(namespace, _Log(revision - 1))
        log.added.extend((revision, record) for record in records)
        while len(log.added) > _RECORDS:
            log.begin, _ = log.added.popleft()

    def other(self, namespace: str) -> None:
        """Takes note of a change that is no addition."""
        self._logs.pop(namespace, None)

    def since(self, namespace: str, revision: int) -> list[Record] | None:
        """What was added after a revision; None where that is not known, or not all of it."""
        log = self._logs.get(namespace)
        if log is None or revision < log.begin:
            return None
        return [record for led_to, record in log.added if led_to > revision]
