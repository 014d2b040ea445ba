"""Build a day's one Parquet object from all of its raw parts: a pure function of them.

Same raw, same bytes. The build sweeps over the parts of all passes in the order of events, so that its
memory follows the size of a window and not that of the day.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from entra_lake.arrow import TIME, schema_fingerprint, unique_columns, written_schema
from entra_lake.cells import Numbers
from entra_lake.footer import Footer, pass_hashes
from entra_lake.layout import pass_start
from entra_lake.raw import RawDay, list_day
from entra_lake.resolve import Rows, Wanderers, find_wanderers, resolve, spared
from entra_lake.row_groups import row_groups
from entra_lake.schema import Stream
from entra_lake.shape import Shape
from entra_lake.store_protocol import Store
from entra_lake.tally import Tally
from entra_lake.windows import pass_names, sweep

#: Raise it when the same raw must give other rows or another order; every day is then built anew when next touched.
BUILD_RULES = 4

ZSTD_LEVEL = 3
#: Random ids hold no repetition to look for: less search makes them no larger (docs/adr/0018).
UNIQUE_ZSTD_LEVEL = 1


@dataclass(frozen=True)
class Built:
    """A finished build on this machine's disk."""

    path: Path
    footer: Footer


def build_day(  # noqa: PLR0913, PLR0917 - where from, what, where to
    store: Store, stream: Stream, day: date, tenant_id: str, path: Path, raw: RawDay | None = None
) -> Built:
    """Build the day's object from what raw/ holds now.

    :param path: where to write it; what is there is replaced.
    :param raw: build from this only.
    :returns: the path and the footer that the object carries.
    """
    raw = list_day(store, stream, day) if raw is None else raw
    build = _Build(store, stream, day, tenant_id, raw)
    with _no_collection():
        if wandering := build.write(path, {}):
            # Seldom: an id's records lie in several windows. Their versions are numbered over the whole day first.
            build.write(path, find_wanderers(store, stream, raw.parts, wandering))
    return Built(path, build.footer())


def written_options(stream: Stream) -> dict[str, Any]:
    """Return how an object of the stream is written (docs/adr/0018)."""
    names, unique = written_schema(stream).names, unique_columns(stream)
    return {
        "compression": "zstd",
        "compression_level": {name: UNIQUE_ZSTD_LEVEL if name in unique else ZSTD_LEVEL for name in names},
        "use_dictionary": [name for name in names if name not in unique],
        "store_schema": False,
    }


def is_current(footer: Footer, stream: Stream, raw: RawDay) -> bool:
    """Tell whether an object with this footer is what building from this would give."""
    return (footer.build, footer.schema, footer.raw_sha256) == (
        BUILD_RULES,
        schema_fingerprint(stream),
        raw.sha256,
    )


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector from looking through millions of short-lived objects that form no cycles."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _Build:
    """One build of one day."""

    def __init__(self, store: Store, stream: Stream, day: date, tenant_id: str, raw: RawDay) -> None:
        self._store = store
        self._stream = stream
        self._day = day
        self._tenant_id = tenant_id
        self._raw = raw
        self._parts = raw.parts
        self._passes = pass_names(raw.parts)
        self._seen = np.array([milliseconds(pass_start(name)) for name in self._passes], dtype=np.int64)
        self._tally = Tally(stream)
        self._id_numbers: list[Numbers] = []

    def write(self, path: Path, wanderers: Wanderers) -> frozenset[int]:
        """Write the object; return the numbers of ids of several windows that `wanderers` does not know."""
        self._tally = Tally(self._stream)
        self._id_numbers = []
        schema = written_schema(self._stream)
        with pq.ParquetWriter(path, schema, **written_options(self._stream)) as writer:
            records = sum(part.records for part in self._parts)
            for table in row_groups(self._tables(wanderers), records, schema, self._stream.together, path.parent):
                writer.write_table(table, row_group_size=table.num_rows)
                del table
            writer.add_key_value_metadata(self.footer().to_metadata())
        return frozenset() if wanderers else _repeated(self._id_numbers)

    def footer(self) -> Footer:
        """Return the facts of what was written."""
        return Footer(
            build=BUILD_RULES,
            stream=self._stream.name,
            day=str(self._day),
            tenant_id=self._tenant_id,
            schema=schema_fingerprint(self._stream),
            raw_sha256=self._raw.sha256,
            erased=len(self._raw.erased.ids),
            passes=pass_hashes(self._parts),
            rows=self._tally.rows,
            ids=self._tally.ids,
            id_set_sha256=self._tally.id_set_sha256,
            first_event=self._tally.first_event,
            last_event=self._tally.last_event,
            drift=self._tally.drift,
            lateness=self._tally.lateness,
        )

    def _tables(self, wanderers: Wanderers) -> Iterator[pa.Table]:
        """Hand on the rows of each window; maps hold on to no window while the next is read."""
        windows = sweep(self._store, Shape(self._stream), self._day, self._parts)
        kept = filter(len, map(partial(spared, erased=self._raw.erased), windows))
        return map(self._table, map(partial(resolve, passes=self._passes, wanderers=wanderers), kept))

    def _table(self, rows: Rows) -> pa.Table:
        """Return the rows of a window in the table's columns; count them."""
        records = rows.records
        lake = self._lake_columns(rows)
        self._count(rows, lake)
        self._tally.note_drift(records.table)
        own = dict(zip(records.table.schema.names, records.table.columns, strict=True))
        return pa.table({**lake, **own})

    def _lake_columns(self, rows: Rows) -> dict[str, pa.Array]:
        count = len(rows.records)
        first = self._seen[rows.records.passes]
        last, number, latest = first.copy(), np.ones(count, dtype=np.int32), np.ones(count, dtype=bool)
        for place, version in rows.versions.items():
            number[place], latest[place] = version.number, version.is_latest
            first[place], last[place] = milliseconds(version.first_seen_at), milliseconds(version.last_seen_at)
        return {
            "event_time": pa.array(rows.records.times, TIME, mask=~rows.records.timed),
            "tenant_id": pa.repeat(self._tenant_id, count),
            "version": pa.array(number),
            "is_latest": pa.array(latest),
            "first_seen_at": pa.array(first, TIME),
            "last_seen_at": pa.array(last, TIME),
        }

    def _count(self, rows: Rows, lake: dict[str, pa.Array]) -> None:
        records = rows.records
        first = lake["version"].to_numpy() == 1
        timed = first & records.timed
        self._tally.note_times(records.times, records.timed)
        self._tally.note_ids(
            records.ids if first.all() else [name for name, one in zip(records.ids, first.tolist(), strict=True) if one]
        )
        self._tally.note_lateness((lake["first_seen_at"].cast(pa.int64()).to_numpy() - records.times)[timed])
        self._id_numbers.append(rows.id_numbers)


def milliseconds(moment: datetime) -> int:
    """Return a time as milliseconds since 1970 UTC."""
    return int(moment.astimezone(UTC).timestamp()) * 1000


def _repeated(id_numbers: list[Numbers]) -> frozenset[int]:
    """Return the numbers that stand in more than one of the lists."""
    numbers = np.concatenate([*id_numbers, np.zeros(0, dtype=np.int64)])
    numbers.sort()
    return frozenset(numbers[1:][numbers[1:] == numbers[:-1]].tolist())
