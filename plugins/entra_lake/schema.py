"""The vocabulary of the lake: what a column is and what a stream is.

A stream is data. Filter, Arrow schema, Athena DDL, simulated records, data dictionary and the
generated tests are all read from here, so that one file adds a stream.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

#: Athena names: lower case, no leading digit or underscore (those need quoting in DDL or DML).
NAME_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,127}")


class Type(StrEnum):
    """Types that a column may have; each exists in Arrow, in Parquet and in Athena."""

    STRING = "string"
    INT = "int"  # 32 bit, as Graph's Edm.Int32
    DOUBLE = "double"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"  # milliseconds, UTC: Athena's precision
    JSON = "json"  # a collection as its JSON text; varchar in Athena
    STRINGS = "array<string>"  # derived from a collection, for filters


class Variety(StrEnum):
    """How much the values of a column differ; it decides how they are held and written, never what they say."""

    FEW = "few"  # many records share one
    MANY = "many"  # people, their devices and addresses
    EACH = "each"  # every record has its own


@dataclass(frozen=True)
class Column:
    """One column of a stream's table.

    :param name: its name in the lake; snake_case of Graph's path.
    :param type: its type.
    :param path: where Graph keeps the value, dotted: `status.errorCode`; a derived column's path may
        lead through collections: `targetResources.id` is the id of each target.
    :param description: one sentence for the data dictionary and the table's comments.
    :param optional: True where Graph often leaves the member out of the record altogether.
    :param values: the documented members, where Graph's type is an enumeration.
    :param variety: how much the values differ; a guess, for speed and size alone.
    """

    name: str
    type: Type
    path: str
    description: str
    optional: bool = False
    values: tuple[str, ...] = ()
    variety: Variety = Variety.FEW

    @property
    def is_derived(self) -> bool:
        """Tell whether the value repeats what another column already holds."""
        return self.type is Type.STRINGS

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Return the path's members, outermost first."""
        return tuple(self.path.split("."))


@dataclass(frozen=True, kw_only=True, eq=False)  # compared by identity: a key of caches
class Stream:
    """One kind of log record that Graph serves.

    :param name: the stream's name and its view's name: Graph's resource in snake_case.
    :param path: Graph's path below the version: `auditLogs/signIns`.
    :param api_version: `v1.0` or `beta`.
    :param time_field: the property that Graph filters by; the event's time.
    :param permission: the application permission that Graph demands.
    :param licence: what the tenant needs, in words; None where every tenant has the log.
    :param page_size: the largest page that Graph serves.
    :param time_digits: digits behind the second that Graph sends.
    :param doc_url: Microsoft's page on the resource.
    :param description: one sentence.
    :param columns: what the table holds besides `LAKE_COLUMNS`.
    :param actor: Graph's paths of the id and of the sign-in name of who did it: erasing that person removes the record.
    :param together: columns of text; rows that have them in common stand together in a row group: less is read then.
    :param extra_filter: a condition that Graph needs to serve this stream at all.
    """

    name: str
    path: str
    time_field: str
    permission: str
    doc_url: str
    description: str
    columns: tuple[Column, ...]
    api_version: str = "v1.0"
    licence: str | None = None
    page_size: int = 1000
    time_digits: int = 0
    actor: tuple[str, ...] = ()
    together: tuple[str, ...] = ()
    extra_filter: str | None = None

    @property
    def history_table(self) -> str:
        """Name the table that holds every version of every record."""
        return f"{self.name}_history"

    @cached_property
    def stored_columns(self) -> tuple[Column, ...]:
        """Return the columns that hold a part of the record itself; no derived ones."""
        return tuple(column for column in self.columns if not column.is_derived)

    @cached_property
    def derived_columns(self) -> tuple[Column, ...]:
        """Return the columns that repeat a part of a collection, for filters."""
        return tuple(column for column in self.columns if column.is_derived)

    @cached_property
    def table_columns(self) -> tuple[Column, ...]:
        """Return all columns of the table in its order, without the partition column `dt`."""
        return LAKE_COLUMNS + self.columns + (EXTRA_COLUMN,)


#: What every table holds in front of the stream's own columns.
LAKE_COLUMNS: tuple[Column, ...] = (
    Column(
        name="event_time",
        type=Type.TIMESTAMP,
        path="",
        variety=Variety.EACH,
        description="When the event happened, UTC, cut to milliseconds; the day of the partition is its date.",
    ),
    Column(
        name="tenant_id",
        type=Type.STRING,
        path="",
        description="The tenant whose log this is.",
    ),
    Column(
        name="record_sha256",
        type=Type.STRING,
        path="",
        variety=Variety.EACH,
        description="SHA-256 of the record's bytes as Graph sent them, in hexadecimal.",
    ),
    Column(
        name="version",
        type=Type.INT,
        path="",
        description="1 for the content that was observed first under this id, 2 for the next, and so on.",
    ),
    Column(
        name="is_latest",
        type=Type.BOOLEAN,
        path="",
        description="Whether this is the content that was observed last under this id; the view shows only these.",
    ),
    Column(
        name="first_seen_at",
        type=Type.TIMESTAMP,
        path="",
        description="Start of the first pass that brought this content.",
    ),
    Column(
        name="last_seen_at",
        type=Type.TIMESTAMP,
        path="",
        description="Start of the last pass that brought this content as news; quiet re-readings do not move it.",
    ),
)

#: What every table holds behind the stream's own columns.
EXTRA_COLUMN = Column(
    name="extra_json",
    type=Type.JSON,
    path="",
    description="What no column can hold: unknown members, unexpected types, exact texts; NULL as a rule.",
)
