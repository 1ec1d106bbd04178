"""The indexes of a Lance table: made when rows ask for them, and made anew as a table grows."""

from functools import partial

from lancedb.index import FTS, Bitmap, BTree, IvfRq

from services.memory.lance_table import LanceTable
from services.memory.statistics import IndexStatistics

# Below it every vector of a search is compared: that is exact, and quick enough.
EXACT_ROWS = 50_000
WORDS_INDEX = FTS(with_position=False)

_SCALAR = {
    "namespace": Bitmap(),
    "level": Bitmap(),
    "id": BTree(),
    "content_hash": BTree(),
    "soma": BTree(),
    "parent_id": BTree(),
}
_VECTOR = "vector"
# What Lance's own statistics call what its list of indexes calls otherwise.
_KINDS = {"IvfRq": "IVF_RQ", "BTree": "BTREE", "Bitmap": "BITMAP"}
_PARTITION_ROWS = 4_000
_GROWTH = 4  # so many times more rows ask for as many times more partitions


class LanceIndexes:
    """Looks after the indexes. The vector index is named after the partitions that it has."""

    def __init__(self, table: LanceTable) -> None:
        self._table = table
        self.partitions = 0  # of the vector index; 0 while there is none

    async def prepare(self) -> None:
        """Makes those that every table has, where they are missing."""
        present = await self._table.raw.list_indices()
        columns = {index.columns[0] for index in present}
        for column, config in {"words": WORDS_INDEX, **_SCALAR}.items():
            if column not in columns:
                await self._table.raw.create_index(column, config=config)
        # Two where a killed process had made a better one and not dropped the other.
        self.partitions = max((_partitions_of(index.name) for index in present), default=0)

    async def tend(self) -> None:
        """Makes the vector index that the number of rows asks for, beside reads and writes."""
        rows = await self._table.raw.count_rows()
        wanted = rows // _PARTITION_ROWS
        if rows > EXACT_ROWS and wanted >= self.partitions * _GROWTH:
            await self._make(wanted)
        await self._drop_replaced()

    async def _make(self, partitions: int) -> None:
        config = IvfRq(distance_type="cosine", num_partitions=partitions)
        await self._table.commit(
            lambda: self._table.raw.create_index(_VECTOR, config=config, name=_name(partitions))
        )
        self.partitions = partitions

    async def _drop_replaced(self) -> None:
        for index in await self._table.raw.list_indices():
            if index.columns == [_VECTOR] and index.name != _name(self.partitions):
                await self._table.commit(partial(self._table.raw.drop_index, index.name))

    async def statistics(self) -> list[IndexStatistics]:
        """What each index covers, sorted by column."""
        found = [
            IndexStatistics(
                column=index.columns[0],
                kind=_KINDS.get(index.index_type, index.index_type),
                indexed_rows=index.num_indexed_rows or 0,
                unindexed_rows=index.num_unindexed_rows or 0,
                disk_bytes=index.size_bytes or 0,
            )
            for index in await self._table.raw.list_indices()
        ]
        return sorted(found, key=lambda index: index.column)


def _name(partitions: int) -> str:
    return f"{_VECTOR}_{partitions}"


def _partitions_of(name: str) -> int:
    prefix, _, number = name.rpartition("_")
    return int(number) if prefix == _VECTOR and number.isdigit() else 0
