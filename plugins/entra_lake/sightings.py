"""Where a person is named in a file of any kind that lies in a lake: Parquet, compressed, or text."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import zstandard

from entra_lake.subject import Subject
from entra_lake.tombstones import Tombstones

_PARQUET, _ZSTD, _GZIP = b"PAR1", b"\x28\xb5\x2f\xfd", b"\x1f\x8b"
_CHUNK = 8 * 1024 * 1024
#: No name is longer; so much of a chunk is looked at again with the next.
_OVERLAP = 4096


def is_named_in_file(path: Path, subject: Subject) -> bool:
    """Tell whether the file names the person.

    :raises ValueError: when it is said to be Parquet or compressed and cannot be read.
    """
    with path.open("rb") as file:
        begin = file.read(4)
    if begin == _PARQUET:
        return any(_any(naming_rows(table, subject)) for table in _tables(path))
    return any(subject.is_named_in(text) for text in _texts(path, begin))


def naming_rows(table: pa.Table, subject: Subject) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which rows of a table name the person in any text of theirs."""
    found = np.zeros(table.num_rows, dtype=bool)
    for column in table.columns:
        for row, text in _candidates(column, subject):
            if not found[row]:
                found[row] = subject.is_named_in(text)
    return found


def holds_erased(path: Path, erased: Tombstones) -> bool:
    """Tell whether a day's build holds a record that was erased.

    :raises ValueError: when it is no such build.
    """
    try:
        with closing(pq.ParquetFile(path)) as file:
            groups = (file.read_row_group(number, columns=["id"])["id"] for number in range(file.num_row_groups))
            return any(erased.hold(name) for group in groups for name in group.to_pylist())
    except (pa.ArrowInvalid, KeyError, OSError) as error:
        raise ValueError(str(error)) from error


def _tables(path: Path) -> Iterator[pa.Table]:
    with closing(pq.ParquetFile(path)) as file:
        for number in range(file.num_row_groups):
            yield file.read_row_group(number)


def _candidates(column: pa.ChunkedArray, subject: Subject) -> Iterator[tuple[int, str]]:
    """Yield the row and text of each value that may hold a name, whatever case it is in."""
    values, rows = column.combine_chunks(), np.arange(len(column))
    while pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        rows = rows[pc.list_parent_indices(values).to_numpy()]
        values = values.flatten()
    if not pa.types.is_string(values.type) and not pa.types.is_large_string(values.type):
        return
    for name in subject.names:
        hits = pc.fill_null(pc.match_substring(values, name, ignore_case=True), fill_value=False)
        for place in np.flatnonzero(hits.to_numpy(zero_copy_only=False)).tolist():
            yield int(rows[place]), str(values[place].as_py())


def _any(found: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> bool:
    return bool(found.any())


def _texts(path: Path, begin: bytes) -> Iterator[str]:
    """Yield the text in pieces that overlap."""
    with path.open("rb") as file, closing(_unpacked(file, begin)) as stream:
        rest = b""
        try:
            while chunk := stream.read(_CHUNK):
                yield (rest + chunk).decode(errors="replace")
                rest = (rest + chunk)[-_OVERLAP:]
        except (zstandard.ZstdError, gzip.BadGzipFile, EOFError) as error:
            raise ValueError(str(error)) from error


def _unpacked(file: IO[bytes], begin: bytes) -> Any:  # noqa: ANN401 - whatever can be read
    if begin == _ZSTD:
        return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    return gzip.GzipFile(fileobj=file) if begin[:2] == _GZIP else file
