"""Why the lake's files are as they are: one day of sign-ins, written in other ways.

`python -m benchmarks.layout` takes a built day, writes its rows with other row groups, orders and compression, and
counts what the questions of include/sql/dashboards would read of each. For one user's history, row groups whose
statistics exclude the user are left out, as Athena leaves them out where a condition allows. Then it lets the product
build the day with more and less memory for a row group, each in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.engines import GROUP_MIB, lines_of
from benchmarks.made_raw import DAY, made_lake, write_raw
from benchmarks.query_cost import SIGN_INS, gzipped
from benchmarks.questions import asking, busy_values, bytes_read, names
from benchmarks.report import Options, Report, Table, main
from entra_lake.build import build_day, written_options
from entra_lake.row_groups import ROW_GROUP_BYTES
from entra_lake.streams import STREAMS

STREAM = STREAMS["sign_ins"]
BY_TIME, TOGETHER, BY_USER = "time", "time, in a group by user", "user"
#: What most of an organisation's questions have in common.
HISTORY = "user_history"


@dataclass(frozen=True)
class Way:
    """One way to write the rows.

    :param rows: of a row group; None: of the whole day.
    """

    name: str
    rows: int | None
    order: str = BY_TIME
    options: Mapping[str, Any] = field(default_factory=dict)


#: Memory for a row group.
GROUPS_MIB = (8, 16, 32, 48)
WAYS = (
    Way("4,500 rows a group", 4_500),
    Way("20,000", 20_000),
    Way("60,000", 60_000),
    Way("the whole day in one", None),
    Way("20,000", 20_000, order=TOGETHER),
    Way("60,000", 60_000, order=TOGETHER),
    Way("the whole day in one", None, order=TOGETHER),
    Way("the whole day in one, zstd 1", None, order=TOGETHER, options={"compression_level": 1}),
    Way("the whole day in one, zstd 9", None, order=TOGETHER, options={"compression_level": 9}),
    Way("the whole day in one, no dictionaries", None, order=TOGETHER, options={"use_dictionary": False}),
    Way("20,000", 20_000, order=BY_USER),
)


def run(options: Options) -> Report:
    """Write one day in every way."""
    with tempfile.TemporaryDirectory() as name:
        folder, count = Path(name), options.records or SIGN_INS
        store = made_lake(folder)
        write_raw(store, STREAM, count, folder, odd=False)
        built = build_day(store, STREAM, DAY, "tenant", folder / "day.parquet").path
        values = busy_values(built)
        with asking(folder / "cloud") as asked:
            needed = {name: asked.needed(asked.statement(name, values)) for name in names()}
        columns = {name: found["sign_ins"] for name, found in needed.items() if "sign_ins" in found}
        pages = gzipped(lines_of(folder, STREAM.name))
        table = _sorted(pq.read_table(built), _BY_TIME)
        tables = {BY_TIME: table, TOGETHER: table, BY_USER: _sorted(table, _BY_USER)}
        ours = _row("as it is", built, columns, pages, values["user"])
        sizes = [_build(mib, folder, columns, pages) for mib in GROUPS_MIB]
        rows = [ours, *(_write(way, tables[way.order], folder, columns, pages, values["user"]) for way in WAYS)]
    head = ("rows in the order of", "CPU us a record", "bytes a record", "groups", "footer, KB",
            "times fewer bytes: middle question", "least", "a user's history")  # fmt: skip
    note = (
        f"{count:,} sign-ins of a large organisation; bytes of their gzipped pages beside those that questions read. "
        f"As it is: groups of {ROW_GROUP_BYTES // 2**20} MiB in memory. CPU is that of writing alone."
    )
    return Report(
        name="layout",
        question="What would other files cost, and what would questions read of them?",
        tables=[
            Table(title="One day's object", head=head, rows=rows, note=note),
            Table(
                title="More or less memory for a row group",
                head=(
                    "MiB a group",
                    "rows a group",
                    "CPU us a record",
                    "peak MiB",
                    "bytes a record",
                    "times fewer bytes: middle question",
                    "least",
                ),
                rows=sizes,
                note="The whole build of the same day, without a client of S3 beside it.",
            ),
        ],
    )


_BY_TIME = ("event_time", "id")
_BY_USER = (*STREAM.together, *_BY_TIME)


def _write(  # noqa: PLR0913, PLR0917 - what is written, and what it is compared with
    way: Way, table: pa.Table, folder: Path, columns: Mapping[str, frozenset[str]], pages: int, user: str
) -> tuple[str, ...]:
    path = folder / "other.parquet"
    settings = {**written_options(STREAMS["sign_ins"]), **way.options}
    rows = way.rows or table.num_rows
    pieces = [table.slice(start, rows) for start in range(0, table.num_rows, rows)]
    if way.order == TOGETHER:
        pieces = [_sorted(piece, _BY_USER) for piece in pieces]
    begun = time.process_time()
    with pq.ParquetWriter(path, table.schema, **settings) as writer:
        for piece in pieces:
            writer.write_table(piece, row_group_size=rows)
    each = (time.process_time() - begun) / table.num_rows * 1e6
    return _row(f"{way.order}: {way.name}", path, columns, pages, user, f"{each:.1f}")


def _sorted(table: pa.Table, names: Sequence[str]) -> pa.Table:
    return table.take(pc.sort_indices(table, [(name, "ascending") for name in names]))


def _build(mib: int, folder: Path, columns: Mapping[str, frozenset[str]], pages: int) -> tuple[str, ...]:
    """Let the product build the day with so much memory for a row group."""
    command = [sys.executable, "-m", "benchmarks.engines", "entra_lake", str(folder), STREAM.name]
    env = {**os.environ, GROUP_MIB: str(mib)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    facts = json.loads(done.stdout.splitlines()[-1])
    path = folder / "entra_lake.parquet"
    metadata = pq.read_metadata(path)
    times = [pages / bytes_read(path, found) for found in columns.values()]
    return (
        str(mib),
        f"{metadata.row_group(0).num_rows:,}",
        f"{facts['cpu_s'] / facts['rows'] * 1e6:.1f}",
        f"{facts['peak_mib']:,.0f}",
        f"{path.stat().st_size / metadata.num_rows:,.1f}",
        f"{median(times):,.0f}",
        f"{min(times):,.0f}",
    )


def _row(  # noqa: PLR0913, PLR0917 - as above
    label: str, path: Path, columns: Mapping[str, frozenset[str]], pages: int, user: str, cpu: str = "-"
) -> tuple[str, ...]:
    metadata = pq.read_metadata(path)
    times = [pages / bytes_read(path, found) for found in columns.values()]
    history = bytes_read(path, columns[HISTORY], only=("user_principal_name", user))
    return (
        label,
        cpu,
        f"{path.stat().st_size / metadata.num_rows:,.1f}",
        str(metadata.num_row_groups),
        f"{metadata.serialized_size / 1000:,.0f}",
        f"{median(times):,.0f}",
        f"{min(times):,.0f}",
        f"{pages / history:,.0f}",
    )


if __name__ == "__main__":
    sys.exit(main(run))
