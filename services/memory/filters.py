"""What a search may be narrowed to, besides Somas."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.memory.records import Record

SPEAKER_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Filters:
    """Records made from `begin` on and before `end`, of these speakers, with all of these labels.

    None and empty mean any.
    """

    begin: datetime | None = None
    end: datetime | None = None
    speakers: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.begin or self.end or self.speakers or self.labels)

    def admit(self, record: Record) -> bool:
        """Whether a record may be answered with."""
        return (
            (self.begin is None or self.begin <= record.created_at)
            and (self.end is None or record.created_at < self.end)
            and (not self.speakers or record.speaker in self.speakers)
            and self.labels.items() <= record.metadata.items()
        )


NO_FILTERS = Filters()
