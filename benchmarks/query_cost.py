"""What the lake's questions read: bytes that Athena bills, beside gzipped JSON and Parquet in the order of arrival.

`python -m benchmarks.query_cost` makes a day, asks each question of include/sql/dashboards for it, and counts the
column chunks that the simulated Athena needs: those of the columns in question. It leaves out no row group by its
statistics, as Athena does at times, so that the figures are upper bounds.
"""

from __future__ import annotations

import gzip
import io
import random
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import pyarrow.parquet as pq

from benchmarks.engines import lines_of
from benchmarks.made_raw import DAY, made_lake, write_raw
from benchmarks.report import Options, Report, Table, main
from entra_lake.build import build_day
from entra_lake.connections import read_connection
from entra_lake.lake import Lake, open_lake
from entra_lake.layout import lake_key
from entra_lake.settings import LakeSettings, include_folder
from entra_lake.sql import render
from entra_lake.streams import STREAMS
from entra_lake.tables import prepare, repair_partitions
from sandbox.environment import environment
from sandbox.serve import Sandbox

RECORDS = {"sign_ins": 50_000, "directory_audits": 5_000}
PAGE = 1_000
#: Times fewer bytes than gzipped pages: each question, and the middle one.
LEAST, MIDDLE = 40, 100
LARGEST = 1.1


def run(options: Options) -> Report:
    """Ask every question once: what it reads does not depend on the machine."""
    scale = 4 if options.full else 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        now = datetime.combine(DAY + timedelta(days=1), datetime.min.time(), UTC)
        with Sandbox(folder / "cloud", seed=7, now=now, sign_ins_per_day=1, throttled=False) as cloud:
            variables = environment(cloud.state.folder)
            lake = open_lake(
                LakeSettings(bucket="entra-lake"), get_connection=lambda key: read_connection(key, variables)
            )
            prepare(lake)
            gzipped, sizes = _fill(lake, folder, scale)
            questions = {path.stem: _bytes_read(lake, path.stem) for path in sorted(_questions().glob("*.sql"))}
    return _report(questions, gzipped, sizes, scale)


def _questions() -> Path:
    return include_folder() / "sql" / "dashboards"


def _fill(lake: Lake, folder: Path, scale: int) -> tuple[int, dict[str, tuple[int, int, int]]]:
    """Load the day; return the gzipped pages of a day, and sizes by stream: gzipped, ours, in the order of arrival."""
    sizes = {}
    for stream in STREAMS.values():
        place = folder / stream.name
        place.mkdir()
        store = made_lake(place)
        write_raw(store, stream, RECORDS.get(stream.name, 1_000) * scale, place, odd=False)
        built = build_day(store, stream, DAY, lake.tenant_id, place / "day.parquet")
        lake.store.create(lake_key(stream, DAY), built.path.read_bytes())
        repair_partitions(lake, stream, DAY)
        lines = lines_of(place, stream.name)
        sizes[stream.name] = (_gzipped(lines), built.path.stat().st_size, _unsorted(built.path))
    return sum(size for size, _, _ in sizes.values()), sizes


def _gzipped(lines: Sequence[bytes]) -> int:
    pages = (lines[start : start + PAGE] for start in range(0, len(lines), PAGE))
    return sum(len(gzip.compress(b'{"value":[' + b",".join(page) + b"]}", 6)) for page in pages)


def _unsorted(path: Path) -> int:
    """Return the size of the same rows, written as they happen to come, with pyarrow's defaults."""
    table = pq.read_table(path)
    order = list(range(table.num_rows))
    random.Random(7).shuffle(order)
    content = io.BytesIO()
    pq.write_table(table.take(order), content)
    return len(content.getvalue())


def _bytes_read(lake: Lake, name: str) -> int:
    values = {"user": "user800@customer24.example", "address": "198.18.7.230", "event_id": "none", "text": "Outlook"}
    filters = {key: value for key, value in values.items() if name in _NEED.get(key, ())}
    database = lake.settings.database
    statement = render(f"dashboards/{name}.sql", database=database, first_day=DAY, last_day=DAY, **filters)
    return max(lake.athena.run(statement).bytes_scanned, 1)


_NEED = {
    "user": ("user_history", "user_addresses"),
    "address": ("address_history", "address_users"),
    "event_id": ("events_by_id",),
    "text": ("search_names",),
}


def _report(questions: dict[str, int], gzipped: int, sizes: dict[str, tuple[int, int, int]], scale: int) -> Report:
    times = {name: gzipped / read for name, read in questions.items()}
    rows = [(name, *_kilobytes(read, gzipped), f"{times[name]:,.0f}") for name, read in questions.items()]
    note = f"{' and '.join(f'{count * scale:,} {name}' for name, count in RECORDS.items())} in the day."
    files = [(name, *_kilobytes(*found), f"{found[1] / found[0]:.2f}") for name, found in sizes.items()]
    worst = min(times, key=times.__getitem__)
    return Report(
        name="query_cost",
        question="How many bytes does each question of include/sql/dashboards read for a day?",
        tables=[
            Table(
                title="questions",
                head=("question", "read, KB", "gzipped pages, KB", "times fewer"),
                rows=rows,
                note=note,
            ),
            Table(
                title="a day's size",
                head=("stream", "gzipped pages, KB", "ours, KB", "shuffled Parquet, KB", "ours / gzipped"),
                rows=files,
            ),
        ],
        claims={
            f"each question reads at least {LEAST} times fewer bytes than gzipped pages (least: {worst})": min(
                times.values()
            )
            >= LEAST,
            f"the middle question reads at least {MIDDLE} times fewer": median(times.values()) >= MIDDLE,
            f"Parquet takes at most {LARGEST} times what gzipped pages take": sum(s[1] for s in sizes.values())
            <= LARGEST * gzipped,
        },
    )


def _kilobytes(*sizes: int) -> tuple[str, ...]:
    return tuple(f"{size / 1000:,.0f}" for size in sizes)


if __name__ == "__main__":
    sys.exit(main(run))
