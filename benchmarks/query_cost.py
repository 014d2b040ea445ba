"""What the lake's questions read, beside gzipped JSON and Parquet in the order of arrival.

`python -m benchmarks.query_cost` makes a day of a large organisation, asks each question of include/sql/dashboards for
it, and takes what the simulated Athena counts: the chunks of the columns that the question needs. It leaves out no row
group by its statistics, as Athena does where it can, so the figures are upper bounds.
"""

from __future__ import annotations

import gzip
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pyarrow.parquet as pq

from benchmarks.engines import lines_of
from benchmarks.made_raw import DAY, made_lake, write_raw
from benchmarks.questions import Asked, Needed, asking, busy_values, bytes_read, names
from benchmarks.report import Options, Report, Table, main
from entra_lake.build import build_day
from entra_lake.layout import lake_key
from entra_lake.streams import STREAMS
from entra_lake.tables import repair_partitions

SIGN_INS = 100_000
FULL_SIGN_INS = 500_000
#: Sign-ins beside each audit.
EACH = 10
PAGE = 1_000
#: Times fewer bytes than gzipped pages: each question, and the middle one.
LEAST, MIDDLE = 40, 100
#: Parquet beside the gzipped pages.
LARGEST = 1.1


@dataclass(frozen=True)
class Stored:
    """A stream's day: its object, the same rows as they come, and the size of its gzipped pages."""

    records: int
    path: Path
    unsorted: Path
    gzipped: int

    @property
    def size(self) -> int:
        """Return the object's bytes."""
        return self.path.stat().st_size


@dataclass(frozen=True)
class Read:
    """What one question reads, in bytes: of the lake, of its streams' gzipped pages, of Parquet as it comes."""

    ours: int
    gzipped: int
    unsorted: int

    @property
    def times(self) -> float:
        """Return how many times fewer bytes it reads than the gzipped pages hold."""
        return self.gzipped / self.ours


def run(options: Options) -> Report:
    """Ask every question once: what it reads does not depend on the machine."""
    count = options.records or (FULL_SIGN_INS if options.full else SIGN_INS)
    with tempfile.TemporaryDirectory() as name, asking(Path(name) / "cloud") as asked:
        stored = {stream: _fill(asked, Path(name), stream, count) for stream in STREAMS}
        values = busy_values(stored["sign_ins"].path)
        found = {question: _ask(asked, question, values, stored) for question in names()}
        return _report(found, stored)


def _fill(asked: Asked, folder: Path, stream: str, sign_ins: int) -> Stored:
    """Load a stream's day."""
    place = folder / stream
    place.mkdir()
    store, count = made_lake(place), sign_ins if stream == "sign_ins" else sign_ins // EACH
    write_raw(store, STREAMS[stream], count, place, odd=False)
    built = build_day(store, STREAMS[stream], DAY, asked.lake.tenant_id, place / "day.parquet")
    asked.lake.store.create(lake_key(STREAMS[stream], DAY), built.path.read_bytes())
    repair_partitions(asked.lake, STREAMS[stream], DAY)
    return Stored(count, built.path, _unsorted(built.path), gzipped(lines_of(place, stream)))


def gzipped(lines: Sequence[bytes]) -> int:
    """Return the size of the pages as Graph sends them."""
    pages = (lines[start : start + PAGE] for start in range(0, len(lines), PAGE))
    return sum(len(gzip.compress(b'{"value":[' + b",".join(page) + b"]}", 6)) for page in pages)


def _unsorted(path: Path) -> Path:
    """Write the same rows in no order, with pyarrow's defaults."""
    table, other = pq.read_table(path), path.with_name("unsorted.parquet")
    order = list(range(table.num_rows))
    random.Random(7).shuffle(order)
    pq.write_table(table.take(order), other)
    return other


def _ask(asked: Asked, name: str, values: Mapping[str, str], stored: Mapping[str, Stored]) -> Read:
    statement = asked.statement(name, values)
    needed: Needed = asked.needed(statement)
    return Read(
        ours=asked.lake.athena.run(statement).bytes_scanned,
        gzipped=sum(stored[stream].gzipped for stream in needed),
        unsorted=sum(bytes_read(stored[stream].unsorted, columns) for stream, columns in needed.items()),
    )


def _report(found: Mapping[str, Read], stored: Mapping[str, Stored]) -> Report:
    rows = [
        (name, *_kilobytes(read.ours, read.unsorted, read.gzipped), f"{read.times:,.0f}")
        for name, read in sorted(found.items(), key=lambda item: -item[1].times)
    ]
    sizes = [
        (
            stream,
            f"{item.records:,}",
            *(f"{size / item.records:,.0f}" for size in (item.gzipped, item.size, item.unsorted.stat().st_size)),
            f"{item.size / item.gzipped:.2f}",
        )
        for stream, item in stored.items()
    ]
    middle = median(read.times for read in found.values())
    few = [name for name, read in found.items() if read.times < LEAST]
    but = f", but for {', '.join(sorted(few))}" if few else ""
    return Report(
        name="query_cost",
        question="How many bytes does each question of include/sql/dashboards read for a day?",
        tables=[
            Table(
                title="Questions",
                head=("question", "read, KB", "of unsorted Parquet, KB", "of gzipped pages, KB", "times fewer"),
                rows=rows,
                note=_NOTE,
            ),
            Table(
                title="Bytes a record",
                head=("stream", "records", "gzipped pages", "ours", "unsorted Parquet", "ours / gzipped"),
                rows=sizes,
                note="Ours holds `record_sha256` (35 bytes a record), which no page has.",
            ),
        ],
        claims={
            f"each question reads at least {LEAST} times fewer bytes than gzipped pages{but}": not few,
            f"the middle question reads at least {MIDDLE} times fewer": middle >= MIDDLE,
            f"Parquet takes at most {LARGEST} times what gzipped pages take": sum(s.size for s in stored.values())
            <= LARGEST * sum(s.gzipped for s in stored.values()),
        },
    )


_NOTE = (
    "Gzipped pages: those of the streams that the question is about; whoever keeps JSON reads all of them. Unsorted: "
    "the same rows with pyarrow's defaults. The organisation has a person for every 20 sign-ins, 400 cities, user "
    "agents of a year, and 22 policies that decide by person and application."
)


def _kilobytes(*sizes: int) -> tuple[str, ...]:
    return tuple(f"{size / 1000:,.0f}" for size in sizes)


if __name__ == "__main__":
    sys.exit(main(run))
