"""Changed records of a listing, on this machine's disk until it ends: one by one, each would cost a row group."""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

import numpy as np

from entra_lake.known_rows import Numbers


class ChangedRecords(AbstractContextManager["ChangedRecords"]):
    """Records in a file that has no name; it is gone when the context ends. Memory holds 16 bytes for each.

    :param folder: where the file is.
    """

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - `__exit__` closes it
        self._rows = array("q")
        self._sizes = array("q")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the file."""
        self._file.close()

    def add(self, lines: Sequence[bytes], rows: Numbers) -> None:
        """Take records.

        :param rows: where the day's object holds what each is compared with.
        :raises OSError: when the disk is full.
        """
        self._file.write(b"".join(lines))
        self._rows.extend(rows.tolist())
        self._sizes.extend(map(len, lines))

    def batches(self, most_bytes: int) -> Iterator[list[bytes]]:
        """Give the records in the order of their rows, so many bytes of them at one time, or a single one."""
        self._file.flush()
        batch: list[bytes] = []
        size = 0
        for start, length in self._places():
            if batch and size + length > most_bytes:
                yield batch
                batch, size = [], 0
            batch.append(os.pread(self._file.fileno(), length, start))
            size += length
        if batch:
            yield batch

    def _places(self) -> Iterator[tuple[int, int]]:
        """Give where each record begins in the file, and its bytes, in the order of the rows."""
        sizes = np.array(self._sizes, dtype=np.int64)
        starts = np.cumsum(sizes) - sizes
        order = np.argsort(np.array(self._rows, dtype=np.int64), kind="stable")
        return zip(starts[order].tolist(), sizes[order].tolist(), strict=True)
