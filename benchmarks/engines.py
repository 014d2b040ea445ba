"""One engine, one day, one process: `python benchmarks/engines.py pandas FOLDER sign_ins`.

Each engine starts from the same raw parts on disk and ends with one Parquet object in zstd; what it took is printed
as JSON. Imports are not counted. Each engine imports its own: the product chooses Arrow's allocator before Arrow is
loaded. Engines that the product does not use come from requirements-bench.lock.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zstandard

from benchmarks.report import peak_mib

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP = 20_000
#: Variable of the environment: how much memory the product may take for a row group.
GROUP_MIB = "ENTRA_LAKE_BENCHMARK_GROUP_MIB"


def lines_of(folder: Path, stream: str) -> list[bytes]:
    """Return the records of all raw parts."""
    parts = sorted((folder / "lake" / "raw" / stream).rglob("*.zst"))
    contents = (zstandard.decompress(path.read_bytes()) for path in parts)
    return [line for content in contents for line in content[:-1].split(b"\n")]


def entra_lake(folder: Path, stream: str, out: Path) -> Callable[[], int]:
    """Build the day as the product does, with every guarantee."""
    from benchmarks.made_raw import DAY, made_lake  # noqa: PLC0415 - engines must not load one another
    from entra_lake import row_groups  # noqa: PLC0415
    from entra_lake.build import build_day  # noqa: PLC0415
    from entra_lake.pandas_absence import leave_pandas_out  # noqa: PLC0415
    from entra_lake.streams import get_stream  # noqa: PLC0415

    leave_pandas_out()
    if GROUP_MIB in os.environ:
        row_groups.ROW_GROUP_BYTES = int(os.environ[GROUP_MIB]) * 2**20
    return lambda: build_day(made_lake(folder), get_stream(stream), DAY, "tenant", out).footer.rows


def pandas(folder: Path, stream: str, out: Path) -> Callable[[], int]:
    """json_normalize and to_parquet, as most scripts do it."""
    import pandas as pd  # noqa: PLC0415

    def run() -> int:
        frame = pd.json_normalize([json.loads(line) for line in lines_of(folder, stream)])
        frame.to_parquet(out, compression="zstd")
        return len(frame)

    return run


def pyarrow_pylist(folder: Path, stream: str, out: Path) -> Callable[[], int]:
    """Json and Table.from_pylist, page by page, in the first page's schema."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    def run() -> int:
        lines = lines_of(folder, stream)
        schema = pa.Table.from_pylist([json.loads(line) for line in lines[:5000]]).schema
        with pq.ParquetWriter(out, schema, compression="zstd") as writer:
            for start in range(0, len(lines), 1000):
                page = [json.loads(line) for line in lines[start : start + 1000]]
                writer.write_table(pa.Table.from_pylist(page, schema))
        return len(lines)

    return run


def polars(folder: Path, stream: str, out: Path) -> Callable[[], int]:
    """read_ndjson and write_parquet; objects stay structs."""
    import polars as pl  # noqa: PLC0415

    def run() -> int:
        frame = pl.read_ndjson(io.BytesIO(b"\n".join(lines_of(folder, stream))), infer_schema_length=5000)
        frame.write_parquet(out, compression="zstd", compression_level=3, row_group_size=ROW_GROUP)
        return frame.height

    return run


def duckdb(folder: Path, stream: str, out: Path) -> Callable[[], int]:
    """read_json on the compressed parts and COPY TO; objects stay structs."""
    import duckdb as db  # noqa: PLC0415

    def run() -> int:
        parts = f"{folder}/lake/raw/{stream}/*/*/*.zst"
        source = f"read_json('{parts}', format='newline_delimited', compression='zstd', maximum_object_size=16777216)"
        target = f"'{out}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3, ROW_GROUP_SIZE {ROW_GROUP})"
        connection = db.connect()
        connection.execute("SET threads = 1")
        connection.execute(f"COPY (SELECT * FROM {source}) TO {target}")  # noqa: S608 - a benchmark's own paths
        found = connection.execute(f"SELECT count(*) FROM '{out}'").fetchone()  # noqa: S608
        return int(found[0]) if found else 0

    return run


def dlt(folder: Path, stream: str, out: Path) -> Callable[[], int]:
    """Run a dlt pipeline into a folder of Parquet; collections become tables of their own."""
    import dlt as tool  # noqa: PLC0415

    def run() -> int:
        lines = lines_of(folder, stream)
        target = tool.destinations.filesystem(bucket_url=f"file://{out.parent / 'dlt'}")
        pipeline = tool.pipeline("day", destination=target, dataset_name="d", pipelines_dir=str(out.parent / "state"))
        pipeline.run((json.loads(line) for line in lines), table_name=stream, loader_file_format="parquet")
        return len(lines)

    return run


def parse_only(folder: Path, stream: str, _out: Path) -> Callable[[], int]:
    """Read every record into typed structs, by the product's own compiled reader: the floor of reading."""
    from entra_lake.shape import Shape  # noqa: PLC0415
    from entra_lake.streams import get_stream  # noqa: PLC0415

    return lambda: len(Shape(get_stream(stream)).read(lines_of(folder, stream)))


def pyarrow_json(folder: Path, stream: str, _out: Path) -> Callable[[], int]:
    """Read the scalars by pyarrow's reader, which cannot tell null from left out: the other choice."""
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import json as reader  # noqa: PLC0415

    from entra_lake.flatten import column_tree  # noqa: PLC0415
    from entra_lake.streams import get_stream  # noqa: PLC0415

    schema = pa.schema(_scalars(column_tree(get_stream(stream))))
    parsing = reader.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    reading = reader.ReadOptions(use_threads=False, block_size=1 << 26)

    def run() -> int:
        lines = lines_of(folder, stream)
        for start in range(0, len(lines), 1000):
            page = pa.BufferReader(b"\n".join(lines[start : start + 1000]))
            reader.read_json(page, read_options=reading, parse_options=parsing)
        return len(lines)

    return run


def _scalars(tree: dict[str, Any]) -> list[pa.Field]:
    import pyarrow as pa  # noqa: PLC0415

    from entra_lake.arrow import ARROW_TYPES  # noqa: PLC0415
    from entra_lake.schema import Column, Type  # noqa: PLC0415

    fields = []
    for key, node in tree.items():
        if not isinstance(node, Column):
            fields.append(pa.field(key, pa.struct(_scalars(node))))
        elif node.type is not Type.JSON:
            fields.append(pa.field(key, ARROW_TYPES[node.type]))
    return fields


def encode_only(folder: Path, stream: str, out: Path) -> Callable[[], int]:
    """Write a finished table into Parquet: the floor of writing."""
    import pyarrow.parquet as pq  # noqa: PLC0415

    entra_lake(folder, stream, out)()
    table = pq.read_table(out)

    def run() -> int:
        pq.write_table(table, out, compression="zstd", compression_level=3, row_group_size=ROW_GROUP)
        return int(table.num_rows)

    return run


ENGINES: dict[str, Callable[[Path, str, Path], Callable[[], int]]] = {
    engine.__name__: engine
    for engine in (entra_lake, pandas, pyarrow_pylist, polars, duckdb, dlt, parse_only, pyarrow_json, encode_only)
}


def main() -> int:
    """Run one engine; print rows, CPU seconds, wall seconds, peak MiB and the object's bytes."""
    name, folder, stream = sys.argv[1:4]
    out = Path(folder) / f"{name}.parquet"
    run = ENGINES[name](Path(folder), stream, out)
    wall, cpu = time.monotonic(), time.process_time()
    rows = run()
    facts: dict[str, Any] = {"rows": rows, "cpu_s": time.process_time() - cpu, "wall_s": time.monotonic() - wall}
    facts |= {"peak_mib": peak_mib(), "bytes": out.stat().st_size if out.exists() else 0}
    print(json.dumps(facts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
