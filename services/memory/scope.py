"""Which records are meant."""

from dataclasses import dataclass
from datetime import datetime

from services.memory.filters import NO_FILTERS, Filters
from services.memory.records import Level

Position = tuple[datetime, str]  # when a record was made, and its id


@dataclass(frozen=True, slots=True)
class Scope:
    """Which records a search looks at. Empty `somas` means all, less `excluded_somas`.

    `filters` are for episodes; where only summaries are looked at, for those.
    """

    namespace: str
    levels: tuple[Level, ...]
    somas: tuple[str, ...] = ()
    excluded_somas: tuple[str, ...] = ()
    filters: Filters = NO_FILTERS


@dataclass(frozen=True, slots=True)
class Conditions:
    """What selected records have in common; empty and None mean any."""

    level: Level | None = None
    somas: tuple[str, ...] = ()
    filters: Filters = NO_FILTERS

    def __bool__(self) -> bool:
        return bool(self.level or self.somas or self.filters)


@dataclass(frozen=True, slots=True)
class Selection:
    """Records of one namespace: by ids, all of one Soma, or all that conditions admit.

    Unlike a search's filters, `conditions` are for records of any level. None means any, so that
    with None alone it is the whole namespace.
    """

    namespace: str
    ids: tuple[str, ...] | None = None
    soma: str | None = None
    conditions: Conditions | None = None
