"""What is compared of a day's rows with listed records: numbers instead of texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

Numbers = npt.NDArray[np.int64]
#: An array of `ROW`.
Rows = npt.NDArray[np.void]

#: A row: the number of its id, half of its content's SHA-256, where it stands in the object, and whether it is the
#: latest of its id. The numbers of two ids may be equal, once in billions of days: then the contents differ.
ROW = np.dtype([("id", np.int64), ("hash", np.int64, (2,)), ("row", np.uint32), ("latest", np.bool_)])

#: Rows whose texts are in memory at one time.
_BATCH_ROWS = 4_096
_COLUMNS = ["id", "record_sha256", "is_latest"]


def read_rows(file: pq.ParquetFile) -> Iterator[Rows]:
    """Yield what is compared of an object's rows, a few thousand at a time."""
    first = 0
    for group in range(file.num_row_groups):  # asked for all at once, Arrow keeps each that it has come to
        for batch in file.iter_batches(_BATCH_ROWS, row_groups=[group], columns=_COLUMNS):
            yield _rows(batch, first)
            first += len(batch)


def _rows(batch: pa.RecordBatch, first: int) -> Rows:
    rows = np.empty(len(batch), ROW)
    rows["id"] = id_numbers(batch["id"].to_pylist())
    rows["hash"] = hash_numbers(batch["record_sha256"].to_pylist())
    rows["row"] = np.arange(first, first + len(batch))
    rows["latest"] = batch["is_latest"].to_numpy(zero_copy_only=False)
    return rows


def id_numbers(ids: Sequence[str]) -> Numbers:
    """Return a number of each id."""
    return np.fromiter((hash(name) for name in ids), dtype=np.int64, count=len(ids))


def hash_numbers(hashes: Sequence[str]) -> Numbers:
    """Return half of each SHA-256 as two numbers."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), dtype=np.int64).reshape(-1, 4)[:, :2]


def pairs(ordered: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> tuple[Numbers, Numbers]:
    """Return pairs: the place of a wanted number, and a place in the ordered ones where it stands."""
    starts = np.searchsorted(ordered, wanted, side="left")
    return spread(starts, np.searchsorted(ordered, wanted, side="right") - starts)


def spread(starts: Numbers, counts: Numbers) -> tuple[Numbers, Numbers]:
    """Return each number of each stretch, with the place of its stretch in front: (5, 2) at place 0 is 0 5, 0 6."""
    places = np.repeat(np.arange(len(counts)), counts)
    before = np.cumsum(counts) - counts
    return places, np.arange(len(places)) + (starts - before)[places]
