"""Raw parts for benchmarks: a day of the simulated tenant's records, without asking it page by page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import islice
from pathlib import Path

from benchmarks.organisation import decided, organisation
from entra_lake.folder_store import FolderStore
from entra_lake.identity import locate
from entra_lake.raw import RawWriter
from entra_lake.schema import Stream
from entra_lake.store_protocol import Store
from entra_lake.windows import place, start_of_day
from sandbox.tenant import oddities
from sandbox.tenant.additions import Additions
from sandbox.tenant.people import Cast
from sandbox.tenant.records import Records
from sandbox.tenant.versions import Row

DAY = date(2026, 11, 18)  # a Wednesday
TENANT = "11111111-2222-3333-4444-555555555555"
PASSES = ("20261119T060000Z-00000001", "20261120T060000Z-00000002")
#: Sign-ins a day beside each audit.
_AUDITS = 10


def make_rows(stream: Stream, count: int, folder: Path, *, odd: bool, day: date = DAY) -> Iterator[Row]:
    """Give so many records of the day, each with its versions.

    :param odd: whether one in twenty is odd, as real ones are; most other tools cannot read those.
    """
    oddities.RATE = 0.05 if odd else 0.0
    per_day = count * (_AUDITS if stream.name == "directory_audits" else 1)
    cast = organisation(Cast.of(7, TENANT, per_day), per_day)
    records = Records(cast, int(per_day * 1.02) + 10, day + timedelta(days=2), Additions(folder / "added"))
    return islice(decided(cast, records.rows_of_day(stream, day)), count)


def write_raw(  # noqa: PLR0913 - what a day is made of
    store: Store, stream: Stream, count: int, folder: Path, *, odd: bool = True, passes: int = 1, day: date = DAY
) -> int:
    """Write a day of so many records to raw/; a second pass brings what changed. Return the bytes as JSON.

    Parts are written as a listing does, newest first within each slice of some hours.
    """
    second: list[bytes] = []
    size = 0
    writer = RawWriter(store, stream, day, PASSES[0])
    for rows in _pieces(make_rows(stream, count, folder, odd=odd, day=day), max(1, count // 8)):
        for row in reversed(rows):
            _add(writer, row.versions[0].body, stream, day)
            size += len(row.versions[0].body)
            second += [version.body for version in row.versions[1:2]]
        writer.flush()
    if passes > 1:
        writer = RawWriter(store, stream, day, PASSES[1])
        for body in second:
            _add(writer, body, stream, day)
            size += len(body)
        writer.flush()
    return size


def made_lake(folder: Path) -> FolderStore:
    """Return a store in a folder."""
    return FolderStore(folder / "lake")


def _add(writer: RawWriter, body: bytes, stream: Stream, day: date) -> None:
    writer.add(body, place(locate(body, stream)[1], start_of_day(day)))


def _pieces(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while piece := list(islice(iterator, size)):
        yield piece
