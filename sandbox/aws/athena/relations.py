"""A table as a query sees it: its declared columns by name, in the objects of its registered partitions only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp

from sandbox.aws.athena.catalog import Catalog, Partition, Table, split_location
from sandbox.aws.athena.errors import QueryFailedError

PATH = "$path"
INTEGERS = ("int8", "int16", "int32", "int64")
WIDTHS = {"tinyint": 1, "smallint": 2, "int": 3, "bigint": 4}


@dataclass(frozen=True)
class File:
    """One Parquet object that a query reads, as it was when the query was planned."""

    key: str
    uri: str
    etag: str
    path: Path
    values: tuple[str, ...]

    @property
    def metadata(self) -> pq.FileMetaData:
        """Return the footer."""
        return _footer(self.path, self.uri)

    def types(self) -> dict[str, pa.DataType]:
        """Return the types of the top-level columns, by lower-case name."""
        return {field.name.lower(): field.type for field in self.metadata.schema.to_arrow_schema()}

    def bytes_of(self, columns: set[str]) -> int:
        """Return the compressed size of the chunks of these columns."""
        size = 0
        for number in range(self.metadata.num_row_groups):
            group = self.metadata.row_group(number)
            chunks = (group.column(index) for index in range(group.num_columns))
            size += sum(c.total_compressed_size for c in chunks if c.path_in_schema.split(".")[0].lower() in columns)
        return size


def files_of(catalog: Catalog, partitions: Iterable[Partition]) -> list[File]:
    """List the objects of some partitions; hidden and empty ones are passed over."""
    objects = catalog.storage.objects
    found = []
    for part in partitions:
        bucket, prefix = split_location(part.location)
        with catalog.storage.lock:
            for key in objects.names(bucket, prefix):
                stored = objects.find(bucket, key)
                hidden = any(step.startswith(("_", ".")) for step in key[len(prefix) :].split("/"))
                if stored is not None and stored.contentsize and not hidden:
                    found.append(File(key, f"s3://{bucket}/{key}", stored.etag, objects.path(bucket, key), part.values))
    return found


def changed(catalog: Catalog, files: Iterable[File]) -> File | None:
    """Return the first file whose object is no longer the one that was planned."""
    for file in files:
        bucket, key = split_location(file.uri)
        stored = catalog.storage.objects.find(bucket, key)
        if stored is None or stored.etag != file.etag:
            return file
    return None


def relation(table: Table, files: list[File], needed: set[str]) -> str:
    """Return the DuckDB query that stands for a table; columns that are not needed are NULL and never read."""
    columns = table.columns | table.keys | {PATH: "string"}
    groups: dict[tuple[tuple[str, str], ...], list[File]] = {}
    for file in files:
        types = file.types()
        signature = tuple((name, str(types.get(name))) for name in table.columns if name in needed)
        groups.setdefault(signature, []).append(file)
    if not groups:
        nulls = ", ".join(f"CAST(NULL AS {duckdb_type(kind)}) AS {_quote(name)}" for name, kind in columns.items())
        return f"SELECT {nulls} WHERE FALSE"
    return " UNION ALL ".join(_scan(table, group, needed) for group in groups.values())


def duckdb_type(hive_type: str) -> str:
    """Translate a Hive type."""
    return exp.DataType.build(hive_type, dialect="hive").sql("duckdb")


def _scan(table: Table, files: list[File], needed: set[str]) -> str:
    types = files[0].types()
    picked = []
    for name, kind in table.columns.items():
        if name not in needed or name not in types:
            picked.append(f"CAST(NULL AS {duckdb_type(kind)}) AS {_quote(name)}")
            continue
        for file in files:
            _require_type(file, name, types[name], kind)
        picked.append(f"{_read(name, types[name], kind)} AS {_quote(name)}")
    picked += [f"__map.{_quote(name)}" for name in (*table.keys, PATH)]
    paths = ", ".join(_string(str(file.path)) for file in files)
    rows = ", ".join(f"({', '.join(map(_string, (str(file.path), *file.values, file.uri)))})" for file in files)
    names = ", ".join(map(_quote, ("__file", *table.keys, PATH)))
    return (
        f"SELECT {', '.join(picked)} "
        f"FROM read_parquet([{paths}], filename='__file', hive_partitioning=false) AS __data "
        f"JOIN (VALUES {rows}) AS __map({names}) ON __data.__file = __map.__file"
    )


def _read(name: str, found: pa.DataType, kind: str) -> str:
    column = f"__data.{_quote(name)}"
    if kind == "timestamp" and found.unit in ("us", "ns"):
        # Athena's timestamp has milliseconds; what is finer is rounded.
        return f"make_timestamp(CAST(round(epoch_us(CAST({column} AS TIMESTAMP)) / 1000.0) AS BIGINT) * 1000)"
    return f"CAST({column} AS {duckdb_type(kind)})"


def _require_type(file: File, name: str, found: pa.DataType, kind: str) -> None:
    if not _fits(found, kind):
        message = (
            f"HIVE_BAD_DATA: Field {name}'s type {_parquet_type(file, name)} in parquet file {file.uri} "
            f"is incompatible with type {_trino_type(kind)} defined in table schema"
        )
        raise QueryFailedError(message)


def _fits(found: pa.DataType, kind: str) -> bool:
    if pa.types.is_dictionary(found):
        found = found.value_type
    head = kind.partition("(")[0].partition("<")[0]
    if head in WIDTHS:
        return str(found) in INTEGERS and INTEGERS.index(str(found)) < WIDTHS[head]
    if head == "array":
        return pa.types.is_list(found) and _fits(found.value_type, kind[6:-1])
    check = {
        "string": _is_text, "varchar": _is_text, "char": _is_text,
        "double": pa.types.is_floating, "float": pa.types.is_float32, "boolean": pa.types.is_boolean,
        "date": pa.types.is_date, "timestamp": pa.types.is_timestamp, "decimal": pa.types.is_decimal,
        "binary": pa.types.is_binary, "map": pa.types.is_map, "struct": pa.types.is_struct,
    }[head]  # fmt: skip
    return check(found)


def _is_text(found: pa.DataType) -> bool:
    return pa.types.is_string(found) or pa.types.is_large_string(found)


def _parquet_type(file: File, name: str) -> str:
    schema = file.metadata.schema
    columns = (schema.column(index) for index in range(len(schema)))
    found = next((c.physical_type for c in columns if c.path.split(".")[0].lower() == name), "UNKNOWN")
    return {"BYTE_ARRAY": "BINARY"}.get(found, found)


def _trino_type(kind: str) -> str:
    return {"string": "varchar", "int": "integer", "timestamp": "timestamp(3)"}.get(kind, kind)


@lru_cache(maxsize=4096)
def _footer(path: Path, uri: str) -> pq.FileMetaData:
    try:
        return pq.read_metadata(path)
    except pa.ArrowInvalid as error:
        with path.open("rb") as file:
            magic = file.read(4)
        message = f"HIVE_BAD_DATA: Not valid Parquet file: {uri} expected magic number: PAR1 got: {magic!r}"
        raise QueryFailedError(message) from error
    except FileNotFoundError as error:
        message = f"HIVE_CANNOT_OPEN_SPLIT: Error opening Hive split {uri}: object does not exist"
        raise QueryFailedError(message) from error


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _string(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
