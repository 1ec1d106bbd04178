"""Records as rows of a Lance table, and back."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from services.memory.embedder import EmbedderIdentity, Vectors
from services.memory.records import Level, Record
from services.memory.words import indexable

RECORD_COLUMNS = [
    "id",
    "namespace",
    "level",
    "parent_id",
    "soma",
    "ordinal",
    "speaker",
    "text",
    "created_at",
    "content_hash",
    "importance",
    "metadata",
]

_EMBEDDER = b"batos.embedder"
_DIMENSION = b"batos.dimension"


def schema(identity: EmbedderIdentity) -> pa.Schema:
    """The table's columns; the embedder is written into the schema itself."""
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("namespace", pa.string(), nullable=False),
            pa.field("level", pa.int32(), nullable=False),
            pa.field("parent_id", pa.string(), nullable=False),
            pa.field("soma", pa.string(), nullable=False),
            pa.field("ordinal", pa.int64(), nullable=False),
            pa.field("speaker", pa.string(), nullable=False),
            pa.field("text", pa.string(), nullable=False),
            pa.field("words", pa.string(), nullable=False),
            pa.field("vector", pa.list_(pa.float32(), identity.dimension), nullable=False),
            pa.field("created_at", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("content_hash", pa.string(), nullable=False),
            pa.field("importance", pa.float32(), nullable=False),
            pa.field("metadata", pa.string(), nullable=False),  # JSON: Lance has no maps
        ],
        metadata={_EMBEDDER: identity.name.encode(), _DIMENSION: str(identity.dimension).encode()},
    )


def identity_of(stored: pa.Schema) -> EmbedderIdentity:
    """Who made the vectors of a stored table."""
    metadata = stored.metadata or {}
    return EmbedderIdentity(
        metadata.get(_EMBEDDER, b"unknown").decode(), int(metadata.get(_DIMENSION, b"0"))
    )


def to_table(records: Sequence[Record], vectors: Vectors, identity: EmbedderIdentity) -> pa.Table:
    """Rows to append. `vectors` has shape (len(records), dimension)."""
    target = schema(identity)
    columns: dict[str, Any] = {
        name: [getattr(record, name) for record in records] for name in RECORD_COLUMNS
    }
    columns["level"] = [int(record.level) for record in records]
    columns["metadata"] = [json.dumps(dict(record.metadata)) for record in records]
    columns["words"] = [indexable(record.text) for record in records]
    columns["vector"] = pa.FixedSizeListArray.from_arrays(
        pa.array(vectors.reshape(-1), pa.float32()), identity.dimension
    )
    return pa.table(columns, schema=target)


def to_record(row: Mapping[str, Any]) -> Record:
    """One row with RECORD_COLUMNS as a record."""
    values = {name: row[name] for name in RECORD_COLUMNS}
    values["level"] = Level(row["level"])
    values["metadata"] = json.loads(row["metadata"])
    return Record(**values)
