"""Rows as Arrow batches, and the schema that the Parquet objects have."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
import pyarrow as pa

from entra_lake.flatten import Row
from entra_lake.schema import EXTRA_COLUMN, Stream, Type

ARROW_TYPES: dict[Type, pa.DataType] = {
    Type.STRING: pa.string(),
    Type.JSON: pa.string(),
    Type.INT: pa.int32(),
    Type.DOUBLE: pa.float64(),
    Type.BOOLEAN: pa.bool_(),
    Type.TIMESTAMP: pa.timestamp("ms", "UTC"),  # Athena reads no finer timestamps
    Type.STRINGS: pa.list_(pa.string()),
}

#: Columns whose values hardly ever repeat: a dictionary of them costs time and space.
UNIQUE = frozenset({"id", "record_sha256", "correlation_id"})
#: Columns of whom and from where, as the built-in streams have them: to look for repetition costs more than it saves.
PERSONAL = frozenset({
    "user_id", "user_principal_name", "user_display_name", "ip_address",
    "device_detail_device_id", "device_detail_display_name",
    "initiated_by_user_id", "initiated_by_user_user_principal_name", "initiated_by_user_display_name",
    "initiated_by_user_ip_address",
})  # fmt: skip


@cache
def arrow_schema(stream: Stream) -> pa.Schema:
    """Return the schema of the stream's Parquet objects: all columns of its table, in order."""
    return pa.schema([pa.field(column.name, ARROW_TYPES[column.type]) for column in stream.table_columns])


@cache
def repeated_columns(stream: Stream) -> tuple[str, ...]:
    """Return the columns of text whose values stand in many records: all but those of single records and people."""
    varied = UNIQUE | PERSONAL | {column.name for column in stream.columns if column.path == stream.time_field}
    texts = (column.name for column in stream.columns if column.type in {Type.JSON, Type.STRING})
    return (*(name for name in texts if name not in varied), EXTRA_COLUMN.name)


@cache
def written_schema(stream: Stream) -> pa.Schema:
    """Return the schema that a build writes: in memory a repeated text stands once; in Parquet nobody sees it."""
    schema = arrow_schema(stream)
    for name in repeated_columns(stream):
        field = pa.field(name, pa.dictionary(pa.int32(), pa.string()))
        schema = schema.set(schema.get_field_index(name), field)
    return schema


@cache
def record_schema(stream: Stream) -> pa.Schema:
    """Return the schema of what is read of a record alone, whatever is known of others."""
    schema = written_schema(stream)
    names = ("record_sha256", *(column.name for column in stream.columns), EXTRA_COLUMN.name)
    return pa.schema([schema.field(name) for name in names])


@cache
def schema_fingerprint(stream: Stream) -> str:
    """Return a hash that changes when a column, its type or its path does."""
    facts = "\n".join(f"{c.name}:{c.type}:{c.path}:{c.optional}" for c in stream.table_columns)
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def equally_long(texts: str, count: int) -> pa.Array:
    """Return so many ASCII texts of one length, which stand one behind the other, as a column."""
    length = len(texts) // count if count else 0
    offsets = np.arange(count + 1, dtype=np.int32) * length
    return pa.Array.from_buffers(pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(texts.encode("ascii"))])


def record_batch(rows: Sequence[Row], stream: Stream) -> pa.RecordBatch:
    """Return the rows as one Arrow batch in the stream's schema."""
    schema = arrow_schema(stream)
    arrays = [pa.array([row[field.name] for row in rows], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def iter_rows(batches: Iterable[pa.RecordBatch]) -> Iterable[Row]:
    """Return the rows of batches as they were before they became Arrow."""
    for batch in batches:
        yield from batch.to_pylist()
