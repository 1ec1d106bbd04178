"""Removes records so that a crash at any point leaves none half forgotten."""

from collections.abc import Sequence

from services.memory.library import Library
from services.memory.pending_purges import PendingPurges
from services.memory.records import Record
from services.memory.store import Selection


class Forgetter:
    """Called in the writer's turn. The bytes go with the next purge."""

    def __init__(self, library: Library, purges: PendingPurges) -> None:
        self._library = library
        self._purges = purges

    async def forget(self, request_id: str, selection: Selection) -> int:
        """Makes records invisible; returns how many, and to a repetition what the first one did."""
        store = self._library.shelf.store
        members = await store.members(selection)
        # Noted first: after a crash between the two, the purge has nothing to do, but misses none.
        count = await self._purges.begin(request_id, selection.namespace, members)
        if members:
            await store.forget(selection)
        return count

    async def outdate(self, request_id: str, records: Sequence[Record]) -> None:
        """Notes records that are about to be replaced: what they were is to leave the disk."""
        for namespace in {record.namespace for record in records}:
            own = [(row.id, row.soma) for row in records if row.namespace == namespace]
            await self._purges.begin(request_id, namespace, own)
