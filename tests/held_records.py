"""An object of a day that holds certain records, made without a build."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from entra_lake.arrow import arrow_schema, repeated_columns
from entra_lake.flatten import flatten
from entra_lake.streams import STREAMS

SIGN_INS = STREAMS["sign_ins"]


def line_of(record: Mapping[str, object]) -> bytes:
    """Return the record as Graph sends it."""
    return json.dumps(record).encode()


def content_hash(record: Mapping[str, object]) -> str:
    """Return the hash of the record's bytes."""
    return hashlib.sha256(line_of(record)).hexdigest()


@contextmanager
def opened_records(
    records: Sequence[Mapping[str, object]], folder: Path, group_rows: int = 50
) -> Iterator[pq.ParquetFile]:
    """Write sign-ins, and open them as a reading does; the last one of an id is its latest."""
    last = {record["id"]: number for number, record in enumerate(records)}
    rows = [
        flatten(record, SIGN_INS) | {"record_sha256": content_hash(record), "is_latest": last[record["id"]] == number}
        for number, record in enumerate(records)
    ]
    table = pa.Table.from_pylist(rows, schema=arrow_schema(SIGN_INS))
    pq.write_table(table, folder / "records.parquet", row_group_size=group_rows, store_schema=False)
    with pq.ParquetFile(folder / "records.parquet", read_dictionary=list(repeated_columns(SIGN_INS))) as opened:
        yield opened
