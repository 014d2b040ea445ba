"""What a query returns: columns, rows as text, and the objects that Athena writes to the output location."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sandbox.aws.athena.functions import double_text

Row = tuple[str | None, ...]
TYPES = {
    "BIGINT": "bigint", "HUGEINT": "bigint", "UBIGINT": "bigint", "UHUGEINT": "bigint", "INTEGER": "integer",
    "UINTEGER": "bigint", "SMALLINT": "smallint", "TINYINT": "tinyint", "DOUBLE": "double", "FLOAT": "float",
    "VARCHAR": "varchar", "BOOLEAN": "boolean", "DATE": "date", "TIMESTAMP": "timestamp", "BLOB": "varbinary",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone", "JSON": "json", "TIMESTAMP_MS": "timestamp",
    "TIMESTAMP_S": "timestamp", "TIMESTAMP_NS": "timestamp", "UUID": "uuid",
    "INTERVAL": "interval day to second", "TIME": "time", '"NULL"': "unknown", "NULL": "unknown",
}  # fmt: skip
PRECISION = {"bigint": 19, "integer": 10, "double": 17, "varchar": 2147483647, "timestamp": 3, "boolean": 0}


@dataclass
class Result:
    """The outcome of one statement. Only DML has a header row."""

    columns: list[tuple[str, str]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    is_dml: bool = False
    scanned: int = 0

    @classmethod
    def text(cls, lines: list[str], column: str = "result") -> Result:
        """Return the lines that a DDL statement prints."""
        return cls([(column, "string")] if lines else [], [(line,) for line in lines])

    def page_rows(self) -> list[Row]:
        """Return the rows as GetQueryResults pages them: the names come first for DML."""
        header = [tuple(name for name, _ in self.columns)] if self.is_dml else []
        return [*header, *self.rows]

    def column_info(self) -> list[dict[str, Any]]:
        """Return ColumnInfo as GetQueryResults and the .metadata object give it."""
        return [
            {
                "CatalogName": "hive", "SchemaName": "", "TableName": "", "Name": name, "Label": name, "Type": kind,
                "Precision": PRECISION.get(kind, 0), "Scale": 0, "Nullable": "UNKNOWN",
                "CaseSensitive": kind == "varchar",
            }
            for name, kind in self.columns
        ]  # fmt: skip

    def objects(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """Yield the objects that Athena writes: the output, and its description (binary in the real service)."""
        if self.is_dml:
            yield f"{prefix}.csv", "".join(map(_csv, self.page_rows())).encode()
            yield f"{prefix}.csv.metadata", json.dumps(self.column_info()).encode()
        else:
            yield f"{prefix}.txt", "".join("\t".join(cell or "" for cell in row) + "\n" for row in self.rows).encode()


def column_type(duckdb_type: str) -> str:
    """Translate DuckDB's name of a type into Athena's."""
    if duckdb_type.endswith("]"):
        return "array"
    head = duckdb_type.partition("(")[0]
    return TYPES.get(duckdb_type) or {"STRUCT": "row", "MAP": "map", "DECIMAL": "decimal"}.get(head, head.lower())


def render(value: Any) -> str | None:
    """Write a value as Athena prints it; None is NULL."""
    if value is None:
        return None
    # bool is an int and datetime is a date: the narrower type comes first.
    for kind, write in WRITERS:
        if isinstance(value, kind):
            return write(value)
    return str(value)


def _moment(value: datetime) -> str:
    zone = " UTC" if value.tzinfo else ""
    moment = value.astimezone(UTC) if value.tzinfo else value
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}{zone}"


def _nested(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}={_inner(v)}" for k, v in value.items()) + "}"
    return "[" + ", ".join(_inner(item) for item in value) + "]"


def _inner(value: Any) -> str:
    text = render(value)
    return "null" if text is None else text


def _java_double(value: float) -> str:
    """Write a double as Java does: 1.0E10, but 12345.678."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:  # noqa: PLR2004 - Java's own bounds
        text = format(Decimal(repr(value)), "f")
        return text if "." in text else text + ".0"
    return double_text(value)


def _csv(row: Row) -> str:
    cells = ("" if cell is None else '"' + cell.replace('"', '""') + '"' for cell in row)
    return ",".join(cells) + "\n"


WRITERS: tuple[tuple[Any, Callable[[Any], str]], ...] = (
    (list | dict | tuple, _nested),
    (bool, lambda value: "true" if value else "false"),
    (datetime, _moment),
    (date, date.isoformat),
    (float, _java_double),
    (Decimal, lambda value: f"{value:f}"),
    (bytes, lambda value: value.hex(" ")),
)
