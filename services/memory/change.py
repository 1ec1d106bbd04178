"""A change of one record."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from services.memory.records import Draft, Record, check_changed, content_hash


@dataclass(frozen=True, slots=True)
class Change:
    """New values of the record with an id; None leaves what there is."""

    id: str
    text: str | None = None
    importance: float | None = None
    metadata: Mapping[str, str] | None = None

    def applied(self, record: Record) -> Record:
        """The changed record; InvalidArgument naming every fault of it."""
        draft = Draft(
            namespace=record.namespace,
            level=record.level,
            soma=record.soma,
            speaker=record.speaker,
            text=record.text if self.text is None else self.text,
            importance=record.importance if self.importance is None else self.importance,
            metadata=record.metadata if self.metadata is None else self.metadata,
        )
        check_changed(draft)
        return replace(
            record,
            text=draft.text,
            importance=draft.importance,
            metadata=draft.metadata,
            content_hash=content_hash(draft, record.created_at),
        )
