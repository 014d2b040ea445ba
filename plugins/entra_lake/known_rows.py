"""Rows of a day's object, as far as listed records are compared with them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

#: Bits of half of an id's number.
_HALF = np.uint64(32)
NO_NUMBERS: Numbers = np.zeros(0, dtype=np.int64)

#: Rows whose hashes are in memory, at 29 bytes each: eight listings side by side are each in one group.
MOST_ROWS = 260_000
#: Rows whose texts are in memory at one time: a row group's take more than what is kept of it.
_BATCH_ROWS = 4_096


@dataclass(frozen=True)
class RowGroup:
    """The rows of one row group, in the order of their ids' numbers.

    :param ids: numbers of ids.
    :param rows: where each stands in the row group.
    :param hashes: half of each content's SHA-256, as two numbers.
    :param latest: whether it is the latest content of its id.
    """

    ids: Numbers
    rows: npt.NDArray[np.int32]
    hashes: Numbers
    latest: Flags

    @classmethod
    def read(cls, file: pq.ParquetFile, number: int) -> RowGroup:
        """Read what is compared of a row group."""
        columns = ["id", "record_sha256", "is_latest"]
        batches = file.iter_batches(_BATCH_ROWS, row_groups=[number], columns=columns)
        ids, hashes, latest = map(np.concatenate, zip(*map(_numbers, batches), strict=True))
        order = np.argsort(ids, kind="stable")
        return cls(ids[order], order.astype(np.int32), hashes[order], latest[order])


class RowGroups:
    """The row groups of a file that were asked for last."""

    def __init__(self, file: pq.ParquetFile) -> None:
        self._file = file
        self._kept: OrderedDict[int, RowGroup] = OrderedDict()

    def get(self, number: int) -> RowGroup:
        """Return a row group; forget the one that was asked for longest ago where there are too many rows."""
        if number not in self._kept:
            self._kept[number] = RowGroup.read(self._file, number)
        self._kept.move_to_end(number)
        while len(self._kept) > 1 and sum(len(group.ids) for group in self._kept.values()) > MOST_ROWS:
            self._kept.popitem(last=False)
        return self._kept[number]


@dataclass(frozen=True)
class Index:
    """In which row groups ids stand, by half of each id's number: 5 bytes a row.

    :param ids: the halves in their order. Of two million, one in two thousand ids that are unknown has one of these.
    :param groups: number of the row group of each.
    """

    ids: npt.NDArray[np.uint32]
    groups: npt.NDArray[Any]

    @classmethod
    def nothing(cls) -> Index:
        """Return the index of no rows."""
        return cls(NO_NUMBERS.astype(np.uint32), NO_NUMBERS)

    @classmethod
    def of(cls, file: pq.ParquetFile) -> Index:
        """Read the ids of a file; they are put in order in place, for that takes half the memory."""
        packed = np.empty(file.metadata.num_rows, dtype=np.uint64)
        row = 0
        for number in range(file.num_row_groups):
            found = id_numbers(file.read_row_group(number, columns=["id"])["id"].to_pylist())
            packed[row : row + len(found)] = found.astype(np.uint32).astype(np.uint64) << _HALF | number
            row += len(found)
        packed.sort()
        ids = np.empty(len(packed), dtype=np.uint32)
        groups = np.empty(len(packed), dtype=np.min_scalar_type(file.num_row_groups))
        np.right_shift(packed, _HALF, out=ids, casting="unsafe")
        np.bitwise_and(packed, np.uint64(2**32 - 1), out=groups, casting="unsafe")
        return cls(ids, groups)

    def find(self, numbers: Numbers) -> Iterator[tuple[int, Numbers]]:
        """Yield the row groups that may hold ids of these numbers, and the places of those that each may hold."""
        wanted, places = pairs(self.ids, numbers.astype(np.uint32))
        held = self.groups[places]
        for number in np.unique(held).tolist():
            yield number, np.unique(wanted[held == number])


def pairs(ordered: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> tuple[Numbers, Numbers]:
    """Return pairs: the place of a wanted number, and a place in the ordered ones where it stands."""
    starts = np.searchsorted(ordered, wanted, side="left")
    counts = np.searchsorted(ordered, wanted, side="right") - starts
    places = np.repeat(np.arange(len(counts)), counts)
    before = np.cumsum(counts) - counts
    return places, np.arange(len(places)) + (starts - before)[places]


def _numbers(batch: pa.RecordBatch) -> tuple[Numbers, Numbers, Flags]:
    latest = batch["is_latest"].to_numpy(zero_copy_only=False)
    return id_numbers(batch["id"].to_pylist()), hash_numbers(batch["record_sha256"].to_pylist()), latest


def id_numbers(ids: Sequence[str]) -> Numbers:
    """Return a number of each id."""
    return np.fromiter((hash(name) for name in ids), dtype=np.int64, count=len(ids))


def hash_numbers(hashes: Sequence[str]) -> Numbers:
    """Return half of each SHA-256 as two numbers."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), dtype=np.int64).reshape(-1, 4)[:, :2]
