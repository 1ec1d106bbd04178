"""Batches of drafts on their way to become records: identity, duplicates, places."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from services.memory.records import Draft, Level, Record, content_hash, record_id
from services.memory.store import Kept, SomaHead


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch: the id of each draft, in order, and how many were kept already."""

    ids: tuple[str, ...]
    duplicate_count: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Drafts of one request, and when it arrived."""

    request_id: str
    drafts: Sequence[Draft]
    arrived_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(slots=True)
class Row:
    """One draft with its identity; `kept_as` is the id that stands for it, once that is known."""

    id: str
    draft: Draft
    created_at: datetime
    content_hash: str
    kept_as: str = ""

    @property
    def is_duplicate(self) -> bool:
        """Whether another row stands for this one.

        Its own, kept by a first attempt, does not count: a retry after a crash gets the answer
        that the first attempt would have given.
        """
        return self.kept_as not in ("", self.id)


def rows_of(batches: Iterable[Batch]) -> list[Row]:
    """All drafts of the batches, in order."""
    return [
        _row(batch, place, draft) for batch in batches for place, draft in enumerate(batch.drafts)
    ]


def distinct(rows: Iterable[Row], kept: Kept) -> list[Row]:
    """The rows to store; the others are told which row stands for them."""
    ids = set(kept.ids)
    hashes = dict(kept.hashes)
    fresh = []
    for row in rows:
        key = (row.draft.level, row.content_hash)
        if row.id in ids:
            row.kept_as = row.id
            # Its equals in this batch stand behind it as before, even where it was kept at
            # another time than this retry arrives, and so under another hash.
            hashes.setdefault(key, row.id)
        elif key in hashes:
            row.kept_as = hashes[key]
        else:
            fresh.append(row)
            ids.add(row.id)
            hashes[key] = row.id
    return fresh


def placed(rows: Iterable[Row], heads: Mapping[tuple[str, str], SomaHead]) -> list[Record]:
    """Records with their ordinal and parent; `heads` says where each (namespace, soma) goes on."""
    heads = dict(heads)
    records = []
    for row in rows:
        key = (row.draft.namespace, row.draft.soma)
        head = heads.get(key, SomaHead())
        if row.draft.level is Level.SUMMARY:
            records.append(_record(row, head.next_ordinal, parent_id=""))
            heads[key] = SomaHead(head.next_ordinal, row.id)
        else:
            records.append(_record(row, head.next_ordinal, head.summary_id))
            heads[key] = SomaHead(head.next_ordinal + 1, head.summary_id)
    return records


def receipts(batches: Iterable[Batch], rows: Sequence[Row]) -> list[Receipt]:
    """One receipt per batch; `rows` are those of `rows_of` after `distinct`."""
    found = []
    start = 0
    for batch in batches:
        own = rows[start : start + len(batch.drafts)]
        start += len(own)
        found.append(
            Receipt(
                tuple(row.kept_as or row.id for row in own),
                sum(row.is_duplicate for row in own),
            )
        )
    return found


def _row(batch: Batch, place: int, draft: Draft) -> Row:
    created_at = draft.created_at or batch.arrived_at
    return Row(
        id=record_id(batch.request_id, place, draft),
        draft=draft,
        created_at=created_at,
        content_hash=content_hash(draft, created_at),
    )


def _record(row: Row, ordinal: int, parent_id: str) -> Record:
    draft = row.draft
    return Record(
        id=row.id,
        namespace=draft.namespace,
        level=draft.level,
        parent_id=parent_id,
        soma=draft.soma,
        ordinal=ordinal,
        speaker=draft.speaker,
        text=draft.text,
        created_at=row.created_at,
        content_hash=row.content_hash,
        importance=draft.importance,
        metadata=draft.metadata,
    )
