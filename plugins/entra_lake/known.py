"""What the lake already holds of a day, so that a pass writes only news.

Ids and hashes are kept as numbers, 35 bytes a row: a day of two million records takes 70 MB.
Numbers of ids may collide; then the contents differ and the record is written, never left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum, auto

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from entra_lake.flatten import unflatten
from entra_lake.identity import Identity, canonical
from entra_lake.schema import Stream
from entra_lake.windows import place

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
_COLUMNS = ("id", "record_sha256", "is_latest", "event_time")
_BATCH_ROWS = 8192


class Standing(Enum):
    """What the lake knows of a listed record."""

    NEW = auto()  # the id is unknown
    CHANGED = auto()  # the id is known, the content is not
    OLDER = auto()  # a content that was observed before the latest one
    LATEST = auto()


class Known:
    """The rows of a day's object, to compare listed records with."""

    def __init__(self, numbers: Numbers, hashes: Numbers, latest: Flags, times: Numbers) -> None:
        order = np.argsort(numbers, kind="stable")
        self._ids = numbers[order]
        self._hashes = hashes[order]
        self._latest = latest[order]
        self._times = times[order]
        self._listed = np.zeros(len(order), dtype=bool)
        self._latest_listed = np.zeros(len(order), dtype=bool)

    @classmethod
    def nothing(cls) -> Known:
        """Return what is known of a day that was never read."""
        none = np.zeros(0, dtype=np.int64)
        return cls(none, none.reshape(0, 2), none.astype(bool), none)

    @classmethod
    def from_parquet(cls, file: pq.ParquetFile, day_start: int) -> Known:
        """Read ids, hashes and times of a day's object."""
        pieces = [_numbers_of(batch, day_start) for batch in file.iter_batches(_BATCH_ROWS, columns=list(_COLUMNS))]
        if not pieces:
            return cls.nothing()
        numbers, hashes, latest, times = (np.concatenate(column) for column in zip(*pieces, strict=True))
        return cls(numbers, hashes, latest, times)

    def __len__(self) -> int:
        """Return how many ids are known."""
        return int(self._latest.sum())

    def compare(self, identities: Sequence[Identity]) -> list[Standing]:
        """Return each record's standing; note its id as listed."""
        numbers = _numbers([identity.id for identity in identities])
        starts = np.searchsorted(self._ids, numbers, side="left")
        ends = np.searchsorted(self._ids, numbers, side="right")
        spans = zip(identities, starts.tolist(), ends.tolist(), strict=True)
        return [self._compare(identity, start, end) for identity, start, end in spans]

    def note_latest(self, identity: Identity) -> None:
        """Note that the latest content of this id was listed, in other bytes."""
        number = _numbers([identity.id])[0]
        rows = slice(np.searchsorted(self._ids, number, "left"), np.searchsorted(self._ids, number, "right"))
        self._latest_listed[rows] = True

    def has_listed_latest(self, identity: Identity) -> bool:
        """Tell whether the listing held the latest content of this id, too."""
        number = _numbers([identity.id])[0]
        rows = slice(np.searchsorted(self._ids, number, "left"), np.searchsorted(self._ids, number, "right"))
        return bool(self._latest_listed[rows].any())

    def count_missing(self, start: int, end: int) -> int:
        """Return how many known ids with an event in `[start, end)` ms were not listed."""
        inside = (self._times >= start) & (self._times < end)
        return int((self._latest & inside & ~self._listed).sum())

    def _compare(self, identity: Identity, start: int, end: int) -> Standing:
        if start == end:
            return Standing.NEW
        self._listed[start:end] = True
        halves = np.array(_halves(identity.sha256), dtype=np.int64)
        same = (self._hashes[start:end] == halves).all(axis=1).nonzero()[0]
        if not same.size:
            return Standing.CHANGED
        if not self._latest[start + same].any():
            return Standing.OLDER
        self._latest_listed[start:end] = True
        return Standing.LATEST


def read_contents(file: pq.ParquetFile, stream: Stream, ids: Iterable[str]) -> dict[str, dict[str, bool]]:
    """Return the canonical contents that an object holds of these ids, and which is the latest.

    :returns: id to content to whether it is the latest.
    """
    wanted = pa.array(sorted(set(ids)), pa.string())
    found: dict[str, dict[str, bool]] = {}
    for group in range(file.num_row_groups):
        mask = pc.is_in(file.read_row_group(group, columns=["id"])["id"], wanted)
        if pc.any(mask).as_py():
            for row in file.read_row_group(group).filter(mask).to_pylist():
                content = canonical(unflatten(row, stream))
                found.setdefault(row["id"], {})[content] = row["is_latest"]
    return found


def _numbers_of(batch: pa.RecordBatch, day_start: int) -> tuple[Numbers, Numbers, Flags, Numbers]:
    ids, hashes, latest, times = (batch.column(name) for name in _COLUMNS)
    halves = np.array([_halves(text) for text in hashes.to_pylist()], dtype=np.int64).reshape(-1, 2)
    placed = pc.fill_null(times.cast(pa.int64()), place(None, day_start))
    return _numbers(ids.to_pylist()), halves, latest.to_numpy(zero_copy_only=False), placed.to_numpy()


def _numbers(ids: Sequence[str]) -> Numbers:
    return np.fromiter((hash(name) for name in ids), dtype=np.int64, count=len(ids))


def _halves(sha256: str) -> tuple[int, int]:
    """Return 126 bits of the hash as two numbers of 63 bits: signed 64-bit numbers hold them."""
    return int(sha256[:16], 16) >> 1, int(sha256[16:32], 16) >> 1
