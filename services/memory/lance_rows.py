"""Records as rows of a Lance table, and back."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import pyarrow as pa

from services.memory.candidates import Row
from services.memory.embedder import EmbedderIdentity, Vectors
from services.memory.records import Level, Record, microseconds_of, moment_of
from services.memory.words import indexable

# Lance takes some 2.5 ms for each column of the rows that a search has found, however few, so what
# a record says is kept once more, together. Only the parent changes without the rest.
LIGHT_COLUMNS = ["body"]
RECORD_COLUMNS = ["body", "parent_id"]

_OWN_COLUMNS = (
    "id",
    "namespace",
    "parent_id",
    "soma",
    "ordinal",
    "speaker",
    "created_at",
    "content_hash",
)
_BODY = tuple(field.name for field in fields(Record) if field.name != "parent_id")
_JUDGED = tuple(field.name for field in fields(Row))

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
            pa.field("words", pa.string(), nullable=False),
            pa.field("vector", pa.list_(pa.float32(), identity.dimension), nullable=False),
            pa.field("created_at", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("content_hash", pa.string(), nullable=False),
            pa.field("metadata", pa.string(), nullable=False),  # JSON: Lance has no maps
            pa.field("body", pa.string(), nullable=False),  # see _body
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
    columns: dict[str, Any] = {
        name: [getattr(record, name) for record in records] for name in _OWN_COLUMNS
    }
    columns["level"] = [int(record.level) for record in records]
    columns["metadata"] = [json.dumps(dict(record.metadata)) for record in records]
    columns["words"] = [indexable(record.text) for record in records]
    columns["body"] = [_body(record) for record in records]
    columns["vector"] = pa.FixedSizeListArray.from_arrays(
        pa.array(vectors.reshape(-1), pa.float32()), identity.dimension
    )
    return pa.table(columns, schema=schema(identity))


def to_records(rows: pa.Table) -> list[Record]:
    """Rows with RECORD_COLUMNS, and perhaps more, as records."""
    bodies, parents = rows["body"].to_pylist(), rows["parent_id"].to_pylist()
    return [
        Record(**_fields_of(body), parent_id=parent)
        for body, parent in zip(bodies, parents, strict=True)
    ]


def to_rows(rows: pa.Table) -> list[Row]:
    """Rows with LIGHT_COLUMNS, and perhaps more, as much of them as judging takes."""
    every = map(_fields_of, rows["body"].to_pylist())
    return [Row(**{name: values[name] for name in _JUDGED}) for values in every]


def fingerprints(rows: pa.RecordBatch) -> dict[str, bytes]:
    """By id a digest of rows with `id` and RECORD_COLUMNS."""
    columns = (rows[name].to_pylist() for name in ("id", *RECORD_COLUMNS))
    return {
        row_id: hashlib.blake2b(f"{parent}\n{body}".encode(), digest_size=8).digest()
        for row_id, body, parent in zip(*columns, strict=True)
    }


def _body(record: Record) -> str:
    """JSON of all fields but the parent, in the order of _BODY; the time in microseconds."""
    values = {name: getattr(record, name) for name in _BODY}
    values["created_at"] = microseconds_of(record.created_at)
    values["metadata"] = dict(record.metadata)
    return json.dumps(list(values.values()), ensure_ascii=False)


def _fields_of(body: str) -> dict[str, Any]:
    values = dict(zip(_BODY, json.loads(body), strict=True))
    values["level"] = Level(values["level"])
    values["created_at"] = moment_of(values["created_at"])
    return values
