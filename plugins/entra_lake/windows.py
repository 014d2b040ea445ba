"""Event-time windows over the raw parts of a day: what a build reads at one time.

Windows are cut by bytes, so that memory does not follow the day's size. Equal ids nearly always
fall into one window, because a record's time does not change; the few that do not ("wanderers")
are found beforehand, and their versions are numbered over the whole day.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

import numpy as np
import numpy.typing as npt

from entra_lake.identity import Identity, identify, locate
from entra_lake.layout import RawPart
from entra_lake.raw import read_part
from entra_lake.schema import Stream
from entra_lake.store_protocol import Store

WINDOW_BYTES = 4 * 1024 * 1024  # of raw JSON; rows of Python objects take several times as much
HELD_BYTES = 32 * 1024 * 1024  # parts kept open because the next window needs them too

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Held:
    """A record read from raw.

    :param placed_time: the event time; the day's start where the record names none that can be read.
    """

    line: bytes
    identity: Identity
    pass_id: str
    placed_time: int


@dataclass(frozen=True, slots=True)
class Window:
    """Event times `[start, end)` in ms since 1970."""

    start: int
    end: int


@dataclass
class WindowPlan:
    """The windows of a day and how to read them.

    :param raw_bytes: size of all records as JSON.
    :param wandering: hashes of ids that occur in more than one window.
    """

    store: Store
    stream: Stream
    parts: list[RawPart]
    windows: list[Window]
    raw_bytes: int
    day_start: int
    wandering: frozenset[int]
    _open: dict[str, list[Held]] = field(default_factory=dict)

    def read(self, window: Window) -> dict[str, list[Held]]:
        """Return the records of the window by id; read windows in their order."""
        records: dict[str, list[Held]] = {}
        for part in self.parts:
            if part.last >= window.start and part.first < window.end:
                for held in self._read(part, keep=part.last >= window.end):
                    if window.start <= held.placed_time < window.end:
                        records.setdefault(held.identity.id, []).append(held)
        return records

    def wanderers(self) -> dict[str, list[Held]]:
        """Return all records of the ids that occur in more than one window."""
        records: dict[str, list[Held]] = {}
        for part in self.parts if self.wandering else ():
            for line in read_part(self.store, part):
                held = self._hold(line, part)
                if hash(held.identity.id) in self.wandering:
                    records.setdefault(held.identity.id, []).append(held)
        return records

    def _read(self, part: RawPart, *, keep: bool) -> list[Held]:
        held = self._open.pop(part.key, None) or [self._hold(line, part) for line in read_part(self.store, part)]
        if keep and self._open_bytes() < HELD_BYTES:
            self._open[part.key] = held
        return held

    def _open_bytes(self) -> int:
        return sum(len(item.line) for held in self._open.values() for item in held)

    def _hold(self, line: bytes, part: RawPart) -> Held:
        identity = identify(line, self.stream)
        return Held(line, identity, part.pass_id, place(identity.event_time, self.day_start))


def place(event_time: int | None, day_start: int) -> int:
    """Return where in the day a record is kept: at its time, or at the day's start if that cannot be read."""
    return day_start if event_time is None else event_time


def start_of_day(day: date) -> int:
    """Return the day's first millisecond since 1970 UTC."""
    return int(datetime.combine(day, time(), UTC).timestamp()) * 1000


def plan_windows(store: Store, stream: Stream, day: date, parts: list[RawPart]) -> WindowPlan:
    """Read all parts once, and cut the day into windows of about `WINDOW_BYTES`."""
    day_start = start_of_day(day)
    columns = array("q"), array("q"), array("q")  # 24 bytes a record; tuples of Python objects take 200
    for part in parts:
        for fact in _facts(store, stream, part, day_start):
            for column, value in zip(columns, fact, strict=True):
                column.append(value)
    ids, times, sizes = (np.frombuffer(column, dtype=np.int64) for column in columns)
    windows = _cut(times, sizes)
    return WindowPlan(store, stream, parts, windows, int(sizes.sum()), day_start, _wandering(ids, times, windows))


def _facts(store: Store, stream: Stream, part: RawPart, day_start: int) -> Iterator[tuple[int, int, int]]:
    for line in read_part(store, part):
        name, event_time = locate(line, stream)
        yield hash(name or line), place(event_time, day_start), len(line)


def _cut(times: Numbers, sizes: Numbers) -> list[Window]:
    order = np.argsort(times, kind="stable")
    times, total = times[order], np.cumsum(sizes[order])
    windows: list[Window] = []
    start = 0
    while start < len(times):
        reached = int(total[start - 1]) if start else 0
        end = int(np.searchsorted(total, reached + WINDOW_BYTES))
        end = int(np.searchsorted(times, times[min(end, len(times) - 1)], side="right"))
        windows.append(Window(int(times[start]), int(times[end - 1]) + 1))
        start = end
    return windows


def _wandering(ids: Numbers, times: Numbers, windows: list[Window]) -> frozenset[int]:
    """Return the hashes of ids whose records lie in more than one window."""
    if len(windows) < 2:  # noqa: PLR2004 - one window holds everything
        return frozenset()
    place_in = np.searchsorted(np.array([window.end for window in windows]), times, side="right")
    order = np.lexsort((place_in, ids))
    ids, place_in = ids[order], place_in[order]
    differs = (ids[1:] == ids[:-1]) & (place_in[1:] != place_in[:-1])
    return frozenset(int(value) for value in ids[1:][differs])
