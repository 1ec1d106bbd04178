"""Removes records so that a crash at any point leaves none half forgotten."""

from collections.abc import Sequence

from services.memory.held_ids import HeldIds
from services.memory.library import Library
from services.memory.pending_purges import Forgetting, PendingPurges
from services.memory.records import Record
from services.memory.scope import Selection


class Forgetter:
    """Called in the writer's turn. The bytes go with the next purge."""

    def __init__(self, library: Library, purges: PendingPurges, held: HeldIds) -> None:
        self._library = library
        self._purges = purges
        self._held = held

    async def forget(self, request_id: str, selection: Selection) -> Forgetting:
        """Makes records invisible; tells a repetition what it told the first time."""
        store = self._library.shelf.store
        members = await store.members(selection)
        images = await self._held.holding(row_id for row_id, _ in members)
        forgetting = await self._purges.begin(request_id, selection.namespace, members, images)
        if members:
            await store.forget(selection)
        return forgetting

    async def note(self, request_id: str, namespace: str, records: Sequence[Record]) -> int:
        """Notes records that are about to be replaced or removed: they are to leave the disk.

        Returns how many, and to a repetition what it returned the first time. Noted before they
        go: after a crash between the two the purge has nothing to do, but misses none.
        """
        members = [(record.id, record.soma) for record in records]
        return (await self._purges.begin(request_id, namespace, members)).count
