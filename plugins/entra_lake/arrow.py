"""Rows as Arrow batches, and the schema that the Parquet objects have."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
import pyarrow as pa

from entra_lake.flatten import Row
from entra_lake.schema import EXTRA_COLUMN, Stream, Type, Variety

#: Athena reads no finer timestamps.
TIME = pa.timestamp("ms", "UTC")
ARROW_TYPES: dict[Type, pa.DataType] = {
    Type.STRING: pa.string(),
    Type.JSON: pa.string(),
    Type.INT: pa.int32(),
    Type.DOUBLE: pa.float64(),
    Type.BOOLEAN: pa.bool_(),
    Type.TIMESTAMP: TIME,
    Type.STRINGS: pa.list_(pa.string()),
}

_TEXTS = {Type.JSON, Type.STRING}
#: Made of NULLs: from Python's values pyarrow would load pandas (`pandas_absence`).
NO_TEXTS = pa.nulls(0, pa.string())


@cache
def arrow_schema(stream: Stream) -> pa.Schema:
    """Return the schema of the stream's Parquet objects: all columns of its table, in order."""
    return pa.schema([pa.field(column.name, ARROW_TYPES[column.type]) for column in stream.table_columns])


@cache
def repeated_columns(stream: Stream) -> tuple[str, ...]:
    """Return the columns of text whose values stand in many records."""
    columns = (*stream.columns, EXTRA_COLUMN)
    return tuple(c.name for c in columns if c.type in _TEXTS and c.variety is Variety.FEW)


@cache
def unique_columns(stream: Stream) -> frozenset[str]:
    """Return the columns whose values hardly ever repeat: a dictionary of them costs time and space."""
    return frozenset(column.name for column in stream.table_columns if column.variety is Variety.EACH)


@cache
def written_schema(stream: Stream) -> pa.Schema:
    """Return the schema that a build writes: a text that repeats stands once; in Parquet nobody sees it."""
    names = [c.name for c in stream.table_columns if c.type in _TEXTS and c.variety is not Variety.EACH]
    return _with_dictionaries(arrow_schema(stream), names)


@cache
def record_schema(stream: Stream) -> pa.Schema:
    """Return the schema of what is read of a few records: texts of people hardly repeat among them."""
    schema = _with_dictionaries(arrow_schema(stream), repeated_columns(stream))
    names = ("record_sha256", *(column.name for column in stream.columns), EXTRA_COLUMN.name)
    return pa.schema([schema.field(name) for name in names])


def _with_dictionaries(schema: pa.Schema, names: Iterable[str]) -> pa.Schema:
    for name in names:
        field = pa.field(name, pa.dictionary(pa.int32(), pa.string()))
        schema = schema.set(schema.get_field_index(name), field)
    return schema


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


def encoded(array: pa.Array) -> pa.Array:
    """Return the texts of a column with each of them once, as `written_schema` has it."""
    if pa.types.is_dictionary(array.type):
        return array
    if array.null_count == len(array):
        return pa.DictionaryArray.from_arrays(pa.nulls(len(array), pa.int32()), NO_TEXTS)
    return array.dictionary_encode()


def record_batch(rows: Sequence[Row], stream: Stream) -> pa.RecordBatch:
    """Return the rows as one Arrow batch in the stream's schema."""
    schema = arrow_schema(stream)
    arrays = [pa.array([row[field.name] for row in rows], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def iter_rows(batches: Iterable[pa.RecordBatch]) -> Iterable[Row]:
    """Return the rows of batches as they were before they became Arrow."""
    for batch in batches:
        yield from batch.to_pylist()
