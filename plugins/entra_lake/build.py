"""Build a day's one Parquet object from all of its raw parts: a pure function of them.

Same raw, same bytes. The build walks event-time windows over the parts of all passes, so that its
memory follows the size of a window and not that of the day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from entra_lake.arrow import arrow_schema, record_batch, schema_fingerprint
from entra_lake.flatten import Row, flatten, parse_record, replace_id
from entra_lake.footer import Footer, pass_hashes
from entra_lake.identity import canonical
from entra_lake.layout import RawPart, parts_hash
from entra_lake.raw import list_parts
from entra_lake.schema import Stream
from entra_lake.store_protocol import Store
from entra_lake.tally import Tally
from entra_lake.versions import Observation, Version, number_versions
from entra_lake.windows import Held, Window, WindowPlan, plan_windows

#: Raise it when the same raw must give other rows; every day is then built anew when it is next touched.
BUILD_RULES = 1

#: Rows that are Python objects at one time; a row takes about 4 kB as such.
BATCH_ROWS = 512
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
    store: Store, stream: Stream, day: date, tenant_id: str, path: Path, parts: list[RawPart] | None = None
) -> Built:
    """Build the day's object from what raw/ holds now.

    :param path: where to write it; what is there is replaced.
    :param parts: build from these raw parts only.
    :returns: the path and the footer that the object carries.
    """
    parts = list_parts(store, stream, day) if parts is None else parts
    tally = Tally(stream)
    plan = plan_windows(store, stream, day, parts)
    schema = arrow_schema(stream)
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=ZSTD_LEVEL, store_schema=False) as writer:
        row_group_bytes = max(ROW_GROUP_BYTES, plan.raw_bytes // MOST_ROW_GROUPS)
        for table in _row_groups(_batches(plan, stream, tenant_id, tally), schema, row_group_bytes):
            writer.write_table(table, row_group_size=table.num_rows)
            pa.default_memory_pool().release_unused()
        footer = _footer(stream, day, tenant_id, parts, tally)
        writer.add_key_value_metadata(footer.to_metadata())
    return Built(path, footer)


def is_current(footer: Footer, stream: Stream, parts: list[RawPart]) -> bool:
    """Tell whether an object with this footer is what building these parts would give."""
    return (footer.build, footer.schema, footer.raw_sha256) == (
        BUILD_RULES,
        schema_fingerprint(stream),
        parts_hash(part.key for part in parts),
    )


def _footer(stream: Stream, day: date, tenant_id: str, parts: list[RawPart], tally: Tally) -> Footer:
    return Footer(
        build=BUILD_RULES,
        stream=stream.name,
        day=str(day),
        tenant_id=tenant_id,
        schema=schema_fingerprint(stream),
        raw_sha256=parts_hash(part.key for part in parts),
        passes=pass_hashes(parts),
        rows=tally.rows,
        ids=tally.ids,
        id_set_sha256=tally.id_set_sha256,
        first_event=tally.first_event,
        last_event=tally.last_event,
        drift=tally.drift,
        lateness=tally.lateness,
    )


def _row_groups(batches: Iterator[pa.RecordBatch], schema: pa.Schema, row_group_bytes: int) -> Iterator[pa.Table]:
    """Join batches to tables of about that many bytes of Arrow memory."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(item.nbytes for item in waiting) >= row_group_bytes:
            yield pa.Table.from_batches(waiting, schema)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting, schema)


def _batches(plan: WindowPlan, stream: Stream, tenant_id: str, tally: Tally) -> Iterator[pa.RecordBatch]:
    wanderers = {name: _versions(held) for name, held in plan.wanderers().items()}
    for window in plan.windows:
        found = _in_order(plan, window, wanderers)
        for start in range(0, len(found), BATCH_ROWS):
            yield record_batch(_rows(found[start : start + BATCH_ROWS], stream, tenant_id, tally), stream)


def _in_order(plan: WindowPlan, window: Window, wanderers: dict[str, list[Version]]) -> list[tuple[Version, Held]]:
    """Return the versions of a window in the order of their events."""
    found: list[tuple[Version, Held]] = []
    for name, held in plan.read(window).items():
        lines = {item.identity.sha256: item for item in held}
        versions = wanderers.get(name) or _versions(held)
        found += [(version, lines[version.sha256]) for version in versions if version.sha256 in lines]
    found.sort(key=lambda entry: (entry[1].placed_time, entry[1].identity.id, entry[0].number))
    return found


def _rows(found: list[tuple[Version, Held]], stream: Stream, tenant_id: str, tally: Tally) -> list[Row]:
    rows = []
    for version, item in found:
        row = _row(item, version, stream, tenant_id)
        tally.add(row, item.identity, version)
        rows.append(row)
    return rows


def _versions(held: list[Held]) -> list[Version]:
    lines = {item.identity.sha256: item.line for item in held}
    seen = {Observation(item.pass_id, item.identity.sha256) for item in held}
    return number_versions(seen, lambda sha256: canonical(lines[sha256]))


def _row(item: Held, version: Version, stream: Stream, tenant_id: str) -> Row:
    row = flatten(parse_record(item.line), stream)
    row.update(
        event_time=item.identity.event_time,
        tenant_id=tenant_id,
        record_sha256=version.sha256,
        version=version.number,
        is_latest=version.is_latest,
        first_seen_at=version.first_seen_at,
        last_seen_at=version.last_seen_at,
    )
    if row["id"] != item.identity.id:
        replace_id(row, item.identity.id)
    return row
