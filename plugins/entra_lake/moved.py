"""Records that have moved: new ids at a day's edge that the neighbouring day holds, too.

Microsoft may correct a record's time. When that carries it over midnight, two days hold the id, each
with a version of its own; a count over both days counts it twice. So it is reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from entra_lake.errors import ConflictError, DataError
from entra_lake.footer import open_parquet, read_footer
from entra_lake.layout import lake_key, pass_start
from entra_lake.passes import PassReport
from entra_lake.schema import Stream
from entra_lake.slices import ONE_DAY, Slice
from entra_lake.store import StoredObject
from entra_lake.store_protocol import Store

#: How far from midnight a new id may lie so that the neighbouring day is looked at.
EDGE = timedelta(hours=1)
_COLUMNS = ["id", "event_time", "version", "first_seen_at"]


def count_moved(
    store: Store, stream: Stream, day: date, found: StoredObject, passes: Sequence[PassReport]
) -> dict[str, int]:
    """Count, for each pass, the ids that are new in it, lie at the day's edge, and that the neighbour holds.

    :param found: the day's object.
    :param passes: those that have brought new ids.
    :returns: pass id to count; passes without a moved id are left out. A neighbour that is being replaced, or
        cannot be read, counts for nothing: the report is a help, never a condition.
    """
    starts = {pass_start(report.pass_id): report.pass_id for report in passes}
    counts: dict[str, int] = {}
    try:
        neighbours = {
            edge: near[1] for edge, other in _edges(day) if (near := read_footer(store, lake_key(stream, other)))
        }
        news = _new_ids(open_parquet(store, found), list(neighbours), starts) if neighbours else {}
        for edge, ids in news.items():
            for name in _held(store, neighbours[edge], ids.keys()) if ids else ():
                counts[ids[name]] = counts.get(ids[name], 0) + 1
    except (ConflictError, DataError):
        return {}
    return counts


def _edges(day: date) -> tuple[tuple[Slice, date], ...]:
    """Return the day's first and last hour, each with the day that it borders on."""
    whole = Slice.of_day(day)
    return (
        (Slice(whole.start, whole.start + EDGE), day - ONE_DAY),
        (Slice(whole.end - EDGE, whole.end), day + ONE_DAY),
    )


def _new_ids(
    file: pq.ParquetFile, edges: Sequence[Slice], starts: Mapping[datetime, str]
) -> dict[Slice, dict[str, str]]:
    """Return the ids that lie at each edge and that one of these passes saw first, and which pass it was."""
    found: dict[Slice, dict[str, str]] = {edge: {} for edge in edges}
    for table in _groups(file, edges):
        times = table["event_time"].cast(pa.timestamp("ms", "UTC"))
        is_first = pc.equal(table["version"], 1)
        for edge in edges:
            mask = pc.and_(pc.greater_equal(times, edge.start), pc.less(times, edge.end))
            for row in table.filter(pc.and_(mask, is_first)).select(["id", "first_seen_at"]).to_pylist():
                if name := starts.get(_utc(row["first_seen_at"]).replace(microsecond=0)):
                    found[edge][row["id"]] = name
    return found


def _groups(file: pq.ParquetFile, edges: Sequence[Slice]) -> Iterator[pa.Table]:
    """Yield the row groups that may hold events of these times: of a large day all, each of them once."""
    column = file.schema_arrow.get_field_index("event_time")
    for number in range(file.metadata.num_row_groups):
        facts = file.metadata.row_group(number).column(column).statistics
        if facts and facts.has_min_max:
            first, last = _utc(facts.min), _utc(facts.max)
            if all(last < edge.start or first >= edge.end for edge in edges):
                continue
        yield file.read_row_group(number, columns=_COLUMNS)


def _held(store: Store, found: StoredObject, ids: Iterable[str]) -> set[str]:
    """Return which of these ids an object holds."""
    file, wanted = open_parquet(store, found), pa.array(sorted(ids), pa.string())
    held: set[str] = set()
    for number in range(file.num_row_groups):
        column = file.read_row_group(number, columns=["id"])["id"]
        held.update(column.filter(pc.is_in(column, wanted)).to_pylist())
    return held


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
