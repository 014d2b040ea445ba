"""A day's rows in the order of their ids' numbers, in a file that has no name: memory holds one number of many rows.

The rows come in the order of the object and do not fit in memory: runs of them are sorted and written, then stretches
of ids are put together from all runs. Ids have evenly spread numbers, so that a stretch is as large as a run.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np

from entra_lake.known_rows import ROW, Numbers, Rows, pairs, spread

#: Rows that are sorted at one time, 29 bytes each.
RUN_ROWS = 16_384
#: Rows that are read for one id: of each block of them, memory holds the first number.
BLOCK_ROWS = 16


class RowFile:
    """Rows on this machine's disk, found by the numbers of their ids."""

    def __init__(self, file: IO[bytes], firsts: Numbers) -> None:
        self._file = file
        self._firsts = firsts

    @classmethod
    def sort(cls, batches: Iterable[Rows], count: int, folder: Path | None) -> RowFile:
        """Put rows in order, in no more memory than a few runs take.

        :param count: about how many rows there are.
        :param folder: where the file is; None: in the system's temporary folder. It is gone when it is closed.
        """
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - `close` closes it
        try:
            with tempfile.TemporaryFile(dir=folder) as runs:
                cuts = _write_runs(batches, runs, _bounds(count))
                return cls(file, _join(runs, cuts, file))
        except BaseException:
            file.close()
            raise

    def find(self, numbers: Numbers) -> tuple[Numbers, Rows]:
        """Return pairs: the place of a wanted number, and a row whose id has it."""
        blocks = self._blocks(numbers)
        is_last = np.diff(blocks, append=-1) != 1  # of neighbours, which are read as one
        firsts, ends = blocks[np.roll(is_last, 1)], blocks[is_last] + 1
        rows = _read(self._file, firsts * BLOCK_ROWS, ends * BLOCK_ROWS)
        places, found = pairs(rows["id"], numbers)
        return places, rows[found]

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

    def _blocks(self, numbers: Numbers) -> Numbers:
        """Return the blocks that may hold ids of these numbers; a block's first may stand at the end of that before."""
        firsts = np.maximum(np.searchsorted(self._firsts, numbers, side="left") - 1, 0)
        ends = np.searchsorted(self._firsts, numbers, side="right")
        return np.unique(spread(firsts, ends - firsts)[1])


def _bounds(count: int) -> Numbers:
    """Return the numbers that cut all there may be into stretches of a run's rows."""
    stretches = -(-count // RUN_ROWS)
    return np.array([number * 2**64 // stretches - 2**63 for number in range(1, stretches)], dtype=np.int64)


def _write_runs(batches: Iterable[Rows], file: IO[bytes], bounds: Numbers) -> Numbers:
    """Write runs that are sorted, and return for each at which of the file's rows its stretches begin and end."""
    cuts, written = [np.zeros(len(bounds) + 2, dtype=np.int64)], 0
    for run in _runs(batches):
        rows = run[np.argsort(run["id"])]
        file.write(rows.data)
        cuts.append(np.array([0, *np.searchsorted(rows["id"], bounds), len(rows)]) + written)
        written += len(rows)
    file.flush()
    return np.stack(cuts)


def _runs(batches: Iterable[Rows]) -> Iterator[Rows]:
    waiting: list[Rows] = []
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) >= RUN_ROWS:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)


def _join(runs: IO[bytes], cuts: Numbers, file: IO[bytes]) -> Numbers:
    """Write stretch by stretch what the runs hold of it, and return the first number of each block."""
    firsts, written = [], 0
    for number in range(cuts.shape[1] - 1):
        rows = _read(runs, cuts[:, number], cuts[:, number + 1])
        rows = rows[np.argsort(rows["id"])]
        file.write(rows.data)
        firsts.append(rows["id"][-written % BLOCK_ROWS :: BLOCK_ROWS].copy())  # a view would keep the rows
        written += len(rows)
    file.flush()
    return np.concatenate(firsts)


def _read(file: IO[bytes], firsts: Numbers, ends: Numbers) -> Rows:
    """Return the rows from each first one to before each end; behind the file's last row there is nothing."""
    starts, sizes = firsts * ROW.itemsize, (ends - firsts) * ROW.itemsize
    number = file.fileno()
    parts = [os.pread(number, size, start) for start, size in zip(starts.tolist(), sizes.tolist(), strict=True)]
    return np.frombuffer(b"".join(parts), ROW)
