"""Commit a day's manifest, also where there is no Athena: then the Parquet object itself is counted."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow.parquet as pq

from entra_lake.commit import commit, read_object, until_committed
from entra_lake.errors import ConflictError, CountMismatchError
from entra_lake.footer import Footer, open_parquet
from entra_lake.lake import Lake
from entra_lake.manifest import Manifest
from entra_lake.schema import Stream
from entra_lake.verify import verify

#: What a manifest says of Athena where the lake is a plain folder.
SKIPPED = "A plain folder has no Athena. Rows and ids were counted in the Parquet object."


def acknowledge(lake: Lake, stream: Stream, day: date) -> Manifest:
    """Prove that the day's rows are all there, and commit the manifest: with Athena, or without one in a folder.

    :raises CountMismatchError: when rows or ids are not those that the object's footer names.
    :raises DataError: when there is no object.
    :raises ConflictError: when the object kept being replaced meanwhile.
    """
    if lake.to_dir is None:
        return verify(lake, stream, day)
    return until_committed(stream, day, lambda: _acknowledge_file(lake, stream, day))


def count_file(file: pq.ParquetFile) -> tuple[int, int]:
    """Return how many rows and ids a Parquet file holds, read in its row groups; 8 bytes of memory a row."""
    hashes = [_hashes(file, number) for number in range(file.num_row_groups)]
    ids = np.unique(np.concatenate(hashes)).size if hashes else 0
    return sum(map(len, hashes)), int(ids)


def _hashes(file: pq.ParquetFile, group: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    ids = file.read_row_group(group, columns=["id"])["id"]
    return np.fromiter((hash(name) for name in ids.to_pylist()), np.int64, count=len(ids))


def _acknowledge_file(lake: Lake, stream: Stream, day: date) -> Manifest | None:
    """Count the object and commit the manifest; None when another run was first."""
    footer, found = read_object(lake, stream, day)
    try:
        counted = count_file(open_parquet(lake.store, found))
    except ConflictError:
        return None
    _compare(stream, day, footer, counted)
    return commit(lake, stream, day, footer, found, {"skipped": SKIPPED, "rows": footer.rows, "ids": footer.ids})


def _compare(stream: Stream, day: date, footer: Footer, counted: tuple[int, int]) -> None:
    if counted != (footer.rows, footer.ids):
        message = (
            f"{stream.name} {day}: the Parquet object holds {counted[0]} rows and {counted[1]} ids, and its footer "
            f"names {footer.rows} and {footer.ids}. Build the day again from raw: rebuild --day {day}."
        )
        raise CountMismatchError(message)
