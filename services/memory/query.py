"""A question to memory, and what answers it."""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.memory.filters import NO_FILTERS, Filters
from services.memory.records import Level, Record
from shared.errors import InvalidArgument

QUERY_LIMIT_BYTES = 8 * 1024
DEFAULT_LIMIT = 10
LIMIT = 100
DEFAULT_HALF_LIFE = timedelta(days=30)
_WEIGHT_LIMIT = 10.0


class Mode(enum.IntEnum):
    """What ranks the hits: everything there is, or for comparison less of it."""

    HIERARCHICAL = 1
    FLAT = 2
    HYBRID = 3
    KEYWORD = 4


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a record gains by being recent or important; weights of 0 leave the order as it is.

    After Park et al., "Generative Agents", UIST 2023, who add recency, importance and relevance.
    """

    recency: float = 0.0
    importance: float = 0.0
    half_life: timedelta = DEFAULT_HALF_LIFE

    def __bool__(self) -> bool:
        return bool(self.recency or self.importance)

    def bonus(self, created_at: datetime, importance: float, now: datetime) -> float:
        """From 0 to the sum of the weights; what lies in the future counts as made now."""
        age = max(now - created_at, timedelta(0))
        return float(self.recency * 0.5 ** (age / self.half_life) + self.importance * importance)


NO_PREFERENCES = Preferences()


@dataclass(frozen=True, slots=True)
class Query:
    """A question to one namespace. `limit` 0 means 10; empty `somas` means all."""

    namespace: str
    text: str
    limit: int = 0
    level: Level = Level.EPISODE
    somas: tuple[str, ...] = ()
    excluded_somas: tuple[str, ...] = ()
    mode: Mode = Mode.HIERARCHICAL
    filters: Filters = NO_FILTERS
    preferences: Preferences = NO_PREFERENCES

    def admits(self, record: Record) -> bool:
        """Whether a record of the namespace and the level may be answered with."""
        return (
            (not self.somas or record.soma in self.somas)
            and record.soma not in self.excluded_somas
            and self.filters.admit(record)
        )

    def checked_text(self) -> str:
        """Of a text of more than 8 KiB the beginning; InvalidArgument where it is empty."""
        if not self.text.strip():
            raise InvalidArgument.of_field("query", "must not be empty")
        return self.text.encode()[:QUERY_LIMIT_BYTES].decode(errors="ignore")

    def checked_limit(self) -> int:
        """How many hits there may be; InvalidArgument where the limit is negative."""
        if self.limit < 0:
            raise InvalidArgument.of_field("limit", "must not be negative")
        return min(self.limit or DEFAULT_LIMIT, LIMIT)

    def check_preferences(self) -> None:
        """Raises InvalidArgument where a weight or the half-life is out of its range."""
        given = self.preferences
        for name, weight in (("recency", given.recency), ("importance", given.importance)):
            if not 0.0 <= weight <= _WEIGHT_LIMIT:  # also refuses NaN
                raise InvalidArgument.of_field(f"{name}_weight", "must be from 0 to 10")
        if given.half_life <= timedelta(0):
            raise InvalidArgument.of_field("recency_half_life", "must be more than nothing")


@dataclass(frozen=True, slots=True)
class Found:
    """One hit: `score` is the weighted sum of the parts, which are from 0 to 1, and the bonus."""

    record: Record
    score: float
    vector: float
    text: float
    prior: float
    bonus: float
