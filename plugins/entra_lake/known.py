"""What the lake already holds of a day, so that a pass writes only news.

Ids and hashes are kept as numbers, 43 bytes a row: a day of two million records takes 86 MB.
Numbers of ids may collide; then the contents differ and the record is written, never left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum, auto

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from entra_lake.flatten import unflatten
from entra_lake.identity import Identity, canonical
from entra_lake.schema import Stream
from entra_lake.windows import place


class Standing(Enum):
    """What the lake knows of a listed record."""

    NEW = auto()  # the id is unknown
    CHANGED = auto()  # the id is known, the content is not
    OLDER = auto()  # a content that was observed before the latest one
    LATEST = auto()


class Known:
    """The rows of a day's object, to compare listed records with."""

    def __init__(self, ids: Sequence[str], hashes: Sequence[str], latest: Sequence[bool], times: Sequence[int]) -> None:
        order = np.argsort(numbers := _numbers(ids), kind="stable")
        halves = np.array([_halves(text) for text in hashes], dtype=np.uint64).reshape(-1, 2)
        self._ids = numbers[order]
        self._hashes = halves[order]
        self._latest = np.array(latest, dtype=bool)[order]
        self._times = np.array(times, dtype=np.int64)[order]
        self._listed = np.zeros(len(order), dtype=bool)
        self._latest_listed = np.zeros(len(order), dtype=bool)

    @classmethod
    def nothing(cls) -> Known:
        """Return what is known of a day that was never read."""
        return cls([], [], [], [])

    @classmethod
    def from_parquet(cls, file: pq.ParquetFile, day_start: int) -> Known:
        """Read ids, hashes and times of a day's object."""
        table = file.read(columns=["id", "record_sha256", "is_latest", "event_time"])
        times = table["event_time"].cast(pa.int64()).to_pylist()
        return cls(
            table["id"].to_pylist(),
            table["record_sha256"].to_pylist(),
            table["is_latest"].to_pylist(),
            [place(moment, day_start) for moment in times],
        )

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
        halves = np.array(_halves(identity.sha256), dtype=np.uint64)
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
        mask = pa.compute.is_in(file.read_row_group(group, columns=["id"])["id"], wanted)
        if pa.compute.any(mask).as_py():
            for row in file.read_row_group(group).filter(mask).to_pylist():
                content = canonical(unflatten(row, stream))
                found.setdefault(row["id"], {})[content] = row["is_latest"]
    return found


def _numbers(ids: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.fromiter((hash(name) for name in ids), dtype=np.int64, count=len(ids))


def _halves(sha256: str) -> tuple[int, int]:
    return int(sha256[:16], 16), int(sha256[16:32], 16)
