"""Port: where records are kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from services.memory.candidates import Candidates, Row, Scored
from services.memory.embedder import EmbedderIdentity, Vector, Vectors
from services.memory.records import Level, Record
from services.memory.scope import Position, Scope, Selection
from services.memory.statistics import Backlog, NamespaceCount, TableStatistics


@dataclass(frozen=True, slots=True)
class SomaHead:
    """Where a Soma goes on: the ordinal of its next episode, and its latest summary or ""."""

    next_ordinal: int = 0
    summary_id: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """Which of the asked ids and content hashes are there.

    `hashes` maps (level, content hash) to the id of the kept row.
    """

    ids: frozenset[str] = frozenset()
    hashes: Mapping[tuple[Level, str], str] = field(default_factory=dict)


class Store(Protocol):
    """A durable table of records and their vectors.

    Mutations are durable when they return: they survive `kill -9` and a power cut. They are
    called by one task only; reads may run beside them and see whole mutations or nothing of them.
    Values are data: nothing in them is read as syntax.
    """

    @property
    def identity(self) -> EmbedderIdentity:
        """The embedder whose vectors are in the table."""
        ...

    async def close(self) -> None:
        """Lets go of the table; another process may open it."""
        ...

    async def append(self, records: Sequence[Record], vectors: Vectors) -> None:
        """Adds rows, all or none. `vectors` has shape (len(records), dimension).

        With no rows it only makes sure that what is visible is durable.
        """
        ...

    async def set_parent(self, namespace: str, soma: str, parent_id: str) -> None:
        """Puts a Soma's episodes under a summary."""
        ...

    async def replace(
        self, records: Sequence[Record], vectors: Vectors, gone: Sequence[str] = ()
    ) -> None:
        """Puts records in the place of those with their ids, and removes the ids in `gone`.

        All of it or nothing; records whose id is absent stay away. What there was before is on
        the disk until the next purge.
        """
        ...

    async def forget(self, selection: Selection) -> int:
        """Makes rows invisible; returns how many were there.

        Episodes whose summary goes have no parent from then on.
        """
        ...

    async def members(self, selection: Selection) -> Sequence[tuple[str, str]]:
        """The selected rows that are there, each as (id, soma)."""
        ...

    async def fingerprints(self) -> Mapping[str, bytes]:
        """Of every row's id a digest of all that is kept of it, except its vector."""
        ...

    async def discard(self, ids: Sequence[str]) -> None:
        """Removes rows of any namespace; others do not change."""
        ...

    async def kept(self, ids: Sequence[str], hashes: Sequence[str]) -> Kept:
        """Looks ids and content hashes up."""
        ...

    async def heads(self, namespace: str, somas: Sequence[str]) -> Mapping[str, SomaHead]:
        """Where each of the Somas goes on; Somas without rows are left out."""
        ...

    async def candidates(self, scope: Scope, vector: Vector, words: str, limit: int) -> Candidates:
        """What `nearest` and `matching` find, together. Rows come once, in no order."""
        ...

    async def nearest(self, scope: Scope, vector: Vector, limit: int) -> Scored:
        """The rows nearest to the vector of shape (dimension,), in no order.

        In a large namespace a few of the nearest may be missed.
        """
        ...

    async def matching(self, scope: Scope, words: str, limit: int) -> Scored:
        """The rows that match the words best, in no order."""
        ...

    async def fetch(self, ids: Sequence[str]) -> Mapping[str, Record]:
        """The records with these ids; absent ones are left out."""
        ...

    async def speakers(self, namespace: str) -> frozenset[str]:
        """Everyone who said something in the namespace."""
        ...

    async def beside(
        self, namespace: str, somas: Sequence[str], ordinals: Sequence[int]
    ) -> Sequence[Row]:
        """The episodes of the Somas that have one of the ordinals."""
        ...

    async def sample(self, namespace: str, limit: int) -> Sequence[str]:
        """The texts of some episodes, at most `limit`."""
        ...

    async def every(self, selection: Selection) -> Sequence[Record]:
        """All selected records, in no order."""
        ...

    async def page(self, selection: Selection, after: Position | None, limit: int) -> list[Record]:
        """The selected records by time and then by id, from behind a position, at most `limit`."""
        ...

    def revision(self, namespace: str, soma: str | None = None) -> int:
        """A number that grows with each change of a Soma's rows, or of any in the namespace."""
        ...

    def added_since(self, namespace: str, revision: int) -> Sequence[Record] | None:
        """The records that came after a revision of the namespace, where nothing else changed.

        None where something did, or where that is not known any more.
        """
        ...

    def row_count(self, namespace: str) -> int:
        """How many rows the namespace has had; forgotten ones may count."""
        ...

    async def counts(self) -> Sequence[NamespaceCount]:
        """Rows of each namespace, sorted by name."""
        ...

    async def statistics(self) -> TableStatistics:
        """The table as a whole."""
        ...

    async def backlog(self) -> Backlog:
        """What `optimize` would have to do."""
        ...

    async def optimize(self) -> None:
        """Compacts, indexes new rows, and prunes versions that no reader needs.

        Raises Aborted where mutations beside it kept getting in its way; nothing is lost.
        """
        ...

    async def tend_indexes(self) -> None:
        """Makes the indexes that the number of rows asks for; reads and mutations go on beside it.

        Raises Aborted like `optimize`.
        """
        ...

    async def purge(self) -> bool:
        """Like `optimize`, and removes the bytes of forgotten rows; True once they are gone.

        Runs with no other mutation beside it.
        """
        ...
