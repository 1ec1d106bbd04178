"""Figures of what is kept."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NamespaceCount:
    """Rows of one namespace."""

    namespace: str
    episodes: int = 0
    summaries: int = 0


@dataclass(frozen=True, slots=True)
class Backlog:
    """Rows of the table, and how many of them some index does not cover yet."""

    rows: int
    unindexed: int


@dataclass(frozen=True, slots=True)
class IndexStatistics:
    """One index: the kind is the store's own word for it, such as IVF_RQ."""

    column: str
    kind: str
    indexed_rows: int
    unindexed_rows: int
    disk_bytes: int


@dataclass(frozen=True, slots=True)
class TableStatistics:
    """The table as a whole. `disk_bytes` are those of all its files, old versions included."""

    rows: int
    fragments: int
    disk_bytes: int
    indexes: Sequence[IndexStatistics]
