"""Rows of a large day on disk, given back in stretches: all rows whose texts of one column lie between two bounds.

Ids of users are random: cuts spread evenly over their first digits make stretches of much the same size, whenever each
user signs in, and before all of them are known.
"""

from __future__ import annotations

import os
import tempfile
from bisect import bisect
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Places = npt.NDArray[np.int64]

_DIGITS = 8
# Pieces are small: to share one out among threads takes longer than the piece.
_WRITING = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
_READING = pa.ipc.IpcReadOptions(use_threads=False)


class Stretches(AbstractContextManager["Stretches"]):
    """Rows in a file that has no name; it is gone when the context ends.

    :param column: whose texts decide where a row belongs; the rows hold a dictionary of them.
    :param count: of stretches.
    :param folder: where the file is; None: in the system's temporary folder.
    """

    def __init__(self, column: str, count: int, folder: Path | None = None) -> None:
        self._column = column
        self._bounds = [f"{number * 16**_DIGITS // count:0{_DIGITS}x}" for number in range(1, count)]
        self._pieces: list[list[tuple[int, int]]] = [[] for _ in range(count)]
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - `__exit__` closes it

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the file."""
        self._file.close()

    def add(self, rows: pa.Table) -> None:
        """Put rows behind those that are there.

        :raises OSError: when the disk is full.
        """
        rows = rows.combine_chunks()
        for pieces, places in zip(self._pieces, self._places(rows[self._column].chunk(0)), strict=True):
            if len(places):
                start = self._file.tell()
                self._write(_taken(rows, pa.array(places)))
                pieces.append((start, self._file.tell() - start))

    def __iter__(self) -> Iterator[Iterator[pa.Table]]:
        """Give each stretch in the order of its texts: its rows as they were added, piece by piece."""
        self._file.flush()
        for pieces in self._pieces:
            yield map(self._read, pieces)

    def _places(self, column: pa.DictionaryArray) -> list[Places]:
        """Return where the rows of each stretch stand; NULL comes before all texts."""
        of_texts = np.array([*(bisect(self._bounds, text) for text in column.dictionary.to_pylist()), 0])
        numbers = of_texts[column.indices.fill_null(-1).to_numpy()]
        order = np.argsort(numbers, kind="stable")
        return np.split(order, np.searchsorted(numbers[order], np.arange(1, len(self._pieces))))

    def _write(self, rows: pa.Table) -> None:
        with pa.ipc.new_stream(self._file, rows.schema, options=_WRITING) as writer:
            writer.write_table(rows)

    def _read(self, piece: tuple[int, int]) -> pa.Table:
        start, size = piece
        with pa.ipc.open_stream(os.pread(self._file.fileno(), size, start), options=_READING) as reader:
            return reader.read_all()


def _taken(rows: pa.Table, places: pa.Array) -> pa.Table:
    """Return the rows at these places, and of each dictionary only what they hold."""
    return pa.Table.from_arrays([_cells(column.chunk(0), places) for column in rows.columns], rows.schema.names)


def _cells(column: pa.Array, places: pa.Array) -> pa.Array:
    if not pa.types.is_dictionary(column.type):
        return column.take(places)
    held = column.indices.take(places).dictionary_encode()
    return pa.DictionaryArray.from_arrays(held.indices, column.dictionary.take(held.dictionary))
