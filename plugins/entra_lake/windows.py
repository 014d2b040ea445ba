"""A sweep over the raw parts of a day in the order of events: what a build holds at one time.

Parts are read once, in the order of their first event. Records that lie before the first event of every
part still to come are complete, and are handed on; the others wait. So memory follows how far parts
overlap in time, not the size of the day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import zip_longest

import numpy as np
import pyarrow as pa

from entra_lake.cells import PIECE_RECORDS, Flags, Numbers, read_cells
from entra_lake.layout import RawPart
from entra_lake.raw import read_hashed
from entra_lake.shape import Line, Shape
from entra_lake.store_protocol import Store

#: Of raw JSON that is handed on at one time: a window costs some milliseconds more than its records do.
WINDOW_BYTES = 12 * 1024 * 1024
#: Parts that are read at one time, each of `raw.PART_BYTES`: what a piece costs beside its records is the same, too.
MOST_PARTS = 3


@dataclass(frozen=True)
class Records:
    """Records of raw, and what was read of them, side by side.

    :param table: the record's own columns, `record_sha256` and `extra_json`.
    :param ids: Graph's id, or `sha256:…` of the content.
    :param times: event times; the day's start where a record names none that can be read.
    :param timed: where a record names a time that can be read.
    :param passes: number of the pass that brought each, in the order of observing.
    :param size: bytes of all lines.
    """

    lines: list[Line]
    table: pa.Table
    ids: list[str]
    times: Numbers
    timed: Flags
    passes: Numbers
    size: int

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.lines)

    def sha256_of(self, numbers: Sequence[int]) -> dict[int, str]:
        """Return the hashes of these records' bytes."""
        found = self.table.column("record_sha256").take(pa.array(numbers, pa.int64())).to_pylist()
        return dict(zip(numbers, found, strict=True))

    def take(self, chosen: Numbers) -> Records:
        """Return the records of these numbers, in their order."""
        numbers = chosen.tolist()
        lines = [self.lines[number] for number in numbers]
        return Records(
            lines=lines,
            table=self.table.combine_chunks().take(pa.array(chosen)),  # faster than from several chunks
            ids=[self.ids[number] for number in numbers],
            times=self.times[chosen],
            timed=self.timed[chosen],
            passes=self.passes[chosen],
            size=sum(map(len, lines)),
        )

    def cut(self, start: int, end: int) -> Records:
        """Return the records from one number to before another; nothing is copied."""
        lines = self.lines[start:end]
        return Records(
            lines=lines,
            table=self.table.slice(start, end - start),
            ids=self.ids[start:end],
            times=self.times[start:end],
            timed=self.timed[start:end],
            passes=self.passes[start:end],
            size=sum(map(len, lines)),
        )


def place(event_time: int | None, day_start: int) -> int:
    """Return where in the day a record is kept: at its time, or at the day's start if that cannot be read."""
    return day_start if event_time is None else event_time


def start_of_day(day: date) -> int:
    """Return the day's first millisecond since 1970 UTC."""
    return int(datetime.combine(day, time(), UTC).timestamp()) * 1000


def sweep(store: Store, shape: Shape, day: date, parts: Sequence[RawPart]) -> Iterator[Records]:
    """Hand on all records of the parts, window by window in the order of events; read each part once.

    The records of a window stand in pieces that are each in the order of event time and id.
    """
    numbers = {name: number for number, name in enumerate(pass_names(parts))}
    day_start = start_of_day(day)
    waiting: list[Records] = []
    runs = list(read_together(sorted(parts, key=lambda part: (part.first, part.key))))
    for run, next_run in zip_longest(runs, runs[1:]):
        waiting += _read(*_lines_of(store, run), shape, numbers[run[0].pass_id], day_start)
        following = next_run[0] if next_run else None
        if following is None or sum(held.size for held in waiting) >= WINDOW_BYTES:
            done, waiting = _split(waiting, following.first if following else None)
            if done:
                ready = [_join(done)]
                done = []
                yield ready.pop()  # nothing here holds on to it while the next is read


def pass_names(parts: Iterable[RawPart]) -> list[str]:
    """Return the ids of the passes that wrote the parts, in the order of observing."""
    return sorted({part.pass_id for part in parts})


def read_together(parts: Iterable[RawPart]) -> Iterator[list[RawPart]]:
    """Give the parts in their order, those side by side that one pass wrote together, as far as they are one piece."""
    run: list[RawPart] = []
    for part in parts:
        records = sum(other.records for other in run) + part.records
        if run and (part.pass_id != run[0].pass_id or len(run) == MOST_PARTS or records > PIECE_RECORDS):
            yield run
            run = []
        run.append(part)
    if run:
        yield run


def _lines_of(store: Store, parts: Iterable[RawPart]) -> tuple[list[Line], list[bytes]]:
    """Return the lines of the parts and the SHA-256 of each, one part behind the other."""
    lines: list[Line] = []
    hashes: list[bytes] = []
    for part in parts:
        found = read_hashed(store, part)
        lines += found[0]
        hashes += found[1]
    return lines, hashes


def _read(
    lines: Sequence[Line], hashes: list[bytes], shape: Shape, pass_number: int, day_start: int
) -> Iterator[Records]:
    for cells in read_cells(lines, hashes, shape, day_start):
        yield Records(
            lines=cells.lines,
            table=pa.Table.from_batches([cells.batch]),
            ids=cells.ids,
            times=cells.times,
            timed=cells.timed,
            passes=np.full(len(cells.lines), pass_number, dtype=np.int64),
            size=sum(map(len, cells.lines)),
        )


def _split(waiting: list[Records], frontier: int | None) -> tuple[list[Records], list[Records]]:
    """Return what lies before the frontier, and what must wait."""
    if frontier is None:
        return waiting, []
    done: list[Records] = []
    later: list[Records] = []
    for held in waiting:
        count = int(np.searchsorted(held.times, frontier))
        if count:
            done.append(held if count == len(held) else held.cut(0, count))
        if count < len(held):
            later.append(held.cut(count, len(held)) if count else held)
    return done, later


def _join(pieces: list[Records]) -> Records:
    """Join pieces, those that begin first in front: mostly nothing is left to be put in order then."""
    if len(pieces) == 1:
        return pieces[0]
    pieces.sort(key=lambda piece: (piece.times[0], piece.ids[0]))
    return Records(
        lines=[line for piece in pieces for line in piece.lines],
        table=pa.concat_tables([piece.table for piece in pieces]),
        ids=[name for piece in pieces for name in piece.ids],
        times=np.concatenate([piece.times for piece in pieces]),
        timed=np.concatenate([piece.timed for piece in pieces]),
        passes=np.concatenate([piece.passes for piece in pieces]),
        size=sum(piece.size for piece in pieces),
    )
