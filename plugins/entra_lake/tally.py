"""What a build counts while it writes rows: numbers for the footer, which Athena must confirm."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from entra_lake.flatten import extra_paths
from entra_lake.json_text import parse_json
from entra_lake.schema import EXTRA_COLUMN, Stream

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

#: A drift report names at most so many paths; the rest is counted as one.
MOST_PATHS = 200
#: Upper bounds of the lateness histogram, in hours.
LATENESS_HOURS = (1, 6, 12, 24, 36, 48, 96, 192, 384, 720)
_MS_PER_HOUR = 3_600_000


def lateness_bound(delay: int) -> str:
    """Return the bound of the lateness histogram, in hours, below which a delay of so many ms lies."""
    place = bisect_left(LATENESS_HOURS, delay / _MS_PER_HOUR)
    return str(LATENESS_HOURS[place]) if place < len(LATENESS_HOURS) else "more"


class Tally:
    """Count the rows of one build, window by window."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._members = {
            column.name: (column.path, pa.array(column.values, pa.string()))
            for column in stream.columns
            if column.values
        }
        self._drift: Counter[str] = Counter()
        self._lateness = np.zeros(len(LATENESS_HOURS) + 1, dtype=np.int64)
        self._id_set = 0
        self.rows = 0
        self.ids = 0
        self.first_event: int | None = None
        self.last_event: int | None = None

    @property
    def id_set_sha256(self) -> str:
        """Return the hash of the set of ids."""
        return f"{self._id_set:064x}"

    @property
    def drift(self) -> dict[str, int]:
        """Return what the schema did not expect: `path kind` to rows."""
        return dict(sorted(self._drift.items()))

    @property
    def lateness(self) -> dict[str, int]:
        """Return upper bounds in hours to ids first seen within that time after their event."""
        names = [*map(str, LATENESS_HOURS), "more"]
        return {name: count for name, count in zip(names, self._lateness.tolist(), strict=True) if count}

    def note_times(self, times: Numbers, timed: Flags) -> None:
        """Count rows, and their event times where they have one that can be read."""
        self.rows += len(times)
        readable = times[timed]
        self._count(f"{self._stream.time_field} unreadable", len(times) - len(readable))
        if len(readable):
            first, last = int(readable.min()), int(readable.max())
            self.first_event = first if self.first_event is None else min(self.first_event, first)
            self.last_event = last if self.last_event is None else max(self.last_event, last)

    def note_ids(self, ids: Sequence[str]) -> None:
        """Count ids, each given once in a build."""
        self.ids += len(ids)
        self._id_set = (self._id_set + _sum_of_hashes(ids)) % 2**256

    def note_lateness(self, delays: Numbers) -> None:
        """Count how long after their events ids were first seen, in ms."""
        places = np.searchsorted(LATENESS_HOURS, delays / _MS_PER_HOUR, side="left")
        self._lateness += np.bincount(places, minlength=len(self._lateness))

    def note_drift(self, table: pa.Table) -> None:
        """Count what `extra_json` had to take, and members of enumerations that nobody knows."""
        extra = table.column(EXTRA_COLUMN.name)
        if extra.null_count < len(extra):
            for found in extra.drop_null().value_counts().to_pylist():
                for name in _drift_of(found["values"], self._stream):
                    self._count(name, found["counts"])
        for column, (path, known) in self._members.items():
            array = table.column(column)
            expected = pc.sum(pc.is_in(array, known)).as_py() or 0
            self._count(f"{path} member", len(array) - array.null_count - expected)

    def _count(self, name: str, count: int) -> None:
        if count:
            self._drift[name if name in self._drift or len(self._drift) < MOST_PATHS else "more paths"] += count


@lru_cache(4096)
def _drift_of(extra: str, stream: Stream) -> tuple[str, ...]:
    found = (f"{path} {kind}" for path, kind in extra_paths(parse_json(extra), stream))
    return tuple(name.encode(errors="replace").decode() for name in found)


def _sum_of_hashes(ids: Sequence[str]) -> int:
    """Return the sum of the ids' SHA-256, each as a number: eight columns of 32 bits, added up apart."""
    digests = b"".join([hashlib.sha256(name.encode()).digest() for name in ids])
    columns = np.frombuffer(digests, dtype=">u4").reshape(-1, 8).sum(axis=0, dtype=np.uint64)
    return sum(int(column) << (32 * place) for place, column in enumerate(reversed(columns.tolist())))
