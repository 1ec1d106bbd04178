"""Makes a Soma's summary, and merges what was said again."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from services.memory.extract import summary_of
from services.memory.forgetter import Forgetter
from services.memory.library import Library
from services.memory.records import Draft, Level, Record, check_summary
from services.memory.repetitions import merges
from services.memory.scope import Selection
from services.memory.writer import Writer
from shared.errors import NotFound

# Summaries with this label are replaced by the next consolidation; others stay.
_LABELS = {"made_by": "consolidation"}


@dataclass(frozen=True, slots=True)
class Consolidated:
    """The summary's id, how many episodes were merged into others, how many summaries replaced."""

    summary_id: str
    merged: int
    replaced: int


class Consolidator:
    """Consolidates one Soma at a time; made anew, it gives the same."""

    def __init__(self, library: Library, writer: Writer, forgetter: Forgetter) -> None:
        self._library = library
        self._writer = writer
        self._forgetter = forgetter

    async def consolidate(
        self, request_id: str, namespace: str, soma: str, text: str
    ) -> Consolidated:
        """Keeps a summary of the Soma: the text, or its central sentences where that is empty.

        Raises NotFound (SOMA_EMPTY) where the Soma has no episodes, InvalidArgument where the text
        is blank or too long; nothing has changed then.
        """
        if text:
            check_summary(Draft(namespace, Level.SUMMARY, soma, "", text))
        merged = await self._writer.alone(lambda: self._merge(request_id, namespace, soma))
        async with self._library.reading() as shelf:
            rows = await shelf.store.every(Selection(namespace, soma=soma))
        episodes = _in_order(rows)
        if not episodes:
            raise NotFound(f"nothing was said in {soma} of {namespace}", reason="SOMA_EMPTY")
        draft = Draft(
            namespace=namespace,
            level=Level.SUMMARY,
            soma=soma,
            speaker="",
            text=text or await asyncio.to_thread(summary_of, episodes),
            created_at=max(row.created_at for row in episodes),
            metadata=_LABELS,
        )
        (summary_id,) = (await (await self._writer.append(request_id, [draft]))).ids
        old = tuple(row.id for row in rows if _is_ours(row) and row.id != summary_id)

        async def put_above() -> int:
            await self._library.shelf.store.set_parent(namespace, soma, summary_id)
            selection = Selection(namespace, ids=old)
            return (await self._forgetter.forget(f"{request_id}/replaced", selection)).count

        return Consolidated(summary_id, merged, await self._writer.alone(put_above))

    async def _merge(self, request_id: str, namespace: str, soma: str) -> int:
        """Merges what was said again; returns how many episodes went."""
        shelf = self._library.shelf
        episodes = _in_order(await shelf.store.every(Selection(namespace, soma=soma)))
        found = await asyncio.to_thread(merges, episodes)
        kept = [each.kept for each in found]
        merged = [row for each in found for row in each.merged]
        await self._forgetter.note(f"{request_id}/kept", namespace, kept)
        count = await self._forgetter.note(f"{request_id}/merged", namespace, merged)
        if found:
            vectors = await shelf.embedder.embed([record.text for record in kept])
            await shelf.store.replace(kept, vectors, [row.id for row in merged])
        return count


def _in_order(rows: Sequence[Record]) -> list[Record]:
    """The episodes among the rows, in the order in which they were said."""
    episodes = [row for row in rows if row.level is Level.EPISODE]
    return sorted(episodes, key=lambda row: row.ordinal)


def _is_ours(row: Record) -> bool:
    return row.level is Level.SUMMARY and _LABELS.items() <= row.metadata.items()
