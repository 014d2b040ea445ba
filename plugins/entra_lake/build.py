"""Build a day's one Parquet object from all of its raw parts: a pure function of them.

Same raw, same bytes. The build sweeps over the parts of all passes in the order of events, so that its
memory follows the size of a window and not that of the day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from entra_lake.arrow import arrow_schema, schema_fingerprint
from entra_lake.columns import flat_columns
from entra_lake.footer import Footer, pass_hashes
from entra_lake.layout import pass_start
from entra_lake.raw import RawDay, list_day
from entra_lake.resolve import Rows, Wanderers, find_wanderers, resolve, spared
from entra_lake.schema import Stream
from entra_lake.shape import Shape
from entra_lake.store_protocol import Store
from entra_lake.tally import Tally
from entra_lake.windows import pass_names, sweep

Numbers = npt.NDArray[np.int64]

#: Raise it when the same raw must give other rows; every day is then built anew when it is next touched.
BUILD_RULES = 2

ROW_GROUP_BYTES = 8 * 1024 * 1024  # of Arrow memory
#: A footer grows with its row groups, and readers load it whole: large days get larger groups.
MOST_ROW_GROUPS = 60
ZSTD_LEVEL = 3


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
    if wandering := build.write(path, {}):
        # Seldom: an id's records lie in several windows. Their versions are numbered over the whole day first.
        build.write(path, find_wanderers(store, stream, raw.parts, wandering))
    return Built(path, build.footer())


def is_current(footer: Footer, stream: Stream, raw: RawDay) -> bool:
    """Tell whether an object with this footer is what building from this would give."""
    return (footer.build, footer.schema, footer.raw_sha256) == (
        BUILD_RULES,
        schema_fingerprint(stream),
        raw.sha256,
    )


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
        schema = arrow_schema(self._stream)
        with pq.ParquetWriter(
            path, schema, compression="zstd", compression_level=ZSTD_LEVEL, store_schema=False
        ) as writer:
            for table in _row_groups(self._batches(wanderers), schema, sum(part.records for part in self._parts)):
                writer.write_table(table, row_group_size=table.num_rows)
                pa.default_memory_pool().release_unused()
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

    def _batches(self, wanderers: Wanderers) -> Iterator[pa.RecordBatch]:
        shape = Shape(self._stream)
        for records in sweep(self._store, shape, self._day, self._parts):
            kept = spared(records, self._raw.erased)
            if len(kept):
                yield self._batch(resolve(kept, self._passes, wanderers), shape)

    def _batch(self, rows: Rows, shape: Shape) -> pa.RecordBatch:
        """Return the rows of a window in the table's columns; count them."""
        flat = flat_columns(rows.records.lines, rows.records.structs, rows.ids, shape)
        lake = self._lake_columns(rows)
        self._count(rows, lake)
        self._tally.note_drift(flat.columns, flat.extra)
        schema = arrow_schema(self._stream)
        columns = {**flat.columns, **lake, "extra_json": pa.array(flat.extra, pa.string())}
        return pa.RecordBatch.from_arrays(
            [columns[name].cast(schema.field(name).type) for name in schema.names], schema=schema
        )

    def _lake_columns(self, rows: Rows) -> dict[str, pa.Array]:
        count = len(rows.ids)
        first = self._seen[rows.records.passes]
        last, number, latest = first.copy(), np.ones(count, dtype=np.int32), np.ones(count, dtype=bool)
        for place, version in enumerate(rows.versions):
            if version is not None:
                number[place], latest[place] = version.number, version.is_latest
                first[place], last[place] = milliseconds(version.first_seen_at), milliseconds(version.last_seen_at)
        return {
            "event_time": pa.array(rows.records.times, pa.int64(), mask=~rows.records.timed),
            "tenant_id": pa.repeat(self._tenant_id, count),
            "record_sha256": pa.array(rows.hashes, pa.string()),
            "version": pa.array(number),
            "is_latest": pa.array(latest),
            "first_seen_at": pa.array(first),
            "last_seen_at": pa.array(last),
        }

    def _count(self, rows: Rows, lake: dict[str, pa.Array]) -> None:
        first = lake["version"].to_numpy() == 1
        timed = first & rows.records.timed
        self._tally.note_times(rows.records.times, rows.records.timed)
        self._tally.note_ids([name for name, is_first in zip(rows.ids, first.tolist(), strict=True) if is_first])
        self._tally.note_lateness((lake["first_seen_at"].to_numpy() - rows.records.times)[timed])
        self._id_numbers.append(rows.id_numbers)


def milliseconds(moment: datetime) -> int:
    """Return a time as milliseconds since 1970 UTC."""
    return int(moment.astimezone(UTC).timestamp()) * 1000


def _row_groups(batches: Iterator[pa.RecordBatch], schema: pa.Schema, records: int) -> Iterator[pa.Table]:
    """Join batches to tables: of enough memory, and so many rows that a large day has few of them."""
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        waiting.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if size >= ROW_GROUP_BYTES and rows >= records // MOST_ROW_GROUPS:
            yield pa.Table.from_batches(waiting, schema)
            waiting, rows, size = [], 0, 0
    if waiting:
        yield pa.Table.from_batches(waiting, schema)


def _repeated(id_numbers: list[Numbers]) -> frozenset[int]:
    """Return the numbers that stand in more than one of the lists."""
    numbers = np.sort(np.concatenate(id_numbers)) if id_numbers else np.zeros(0, dtype=np.int64)
    return frozenset(numbers[1:][numbers[1:] == numbers[:-1]].tolist())
