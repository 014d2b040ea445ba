"""A day's rows in a file on disk: found as in memory, whatever they are, in memory that hardly follows them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from entra_lake import row_file
from entra_lake.known_rows import ROW, Rows
from entra_lake.row_file import RowFile

LEAST, MOST = -(2**63), 2**63 - 1


def rows_of(numbers: Sequence[int]) -> Rows:
    """Return rows with these numbers of ids, and with contents of their own."""
    rows = np.zeros(len(numbers), ROW)
    rows["id"] = numbers
    rows["row"] = np.arange(len(numbers))
    rows["hash"][:, 0] = 7 * rows["row"]
    rows["latest"] = rows["row"] % 3 == 0
    return rows


def batches(rows: Rows, size: int) -> Iterator[Rows]:
    """Yield rows a few at a time."""
    return (rows[start : start + size] for start in range(0, len(rows), size))


def found(days: RowFile, wanted: Sequence[int]) -> set[tuple[int, bytes]]:
    """Return which row was found for the number at which place."""
    places, rows = days.find(np.array(wanted, dtype=np.int64))
    pairs = [(place, row.tobytes()) for place, row in zip(places.tolist(), rows, strict=True)]
    assert len(pairs) == len(set(pairs)), "a row was found twice"
    return set(pairs)


def in_memory(rows: Rows, wanted: Sequence[int]) -> set[tuple[int, bytes]]:
    """Return what `found` must return."""
    return {(place, row.tobytes()) for place, number in enumerate(wanted) for row in rows[rows["id"] == number]}


@pytest.fixture(params=[(5, 1), (5, 3), (16, 16), (100, 7), (10_000, 16)], ids=str)
def _sizes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_file, "RUN_ROWS", request.param[0])
    monkeypatch.setattr(row_file, "BLOCK_ROWS", request.param[1])


@pytest.mark.usefixtures("_sizes")
@pytest.mark.parametrize("count", [0, 1, 2, 15, 16, 17, 300])
@pytest.mark.parametrize("span", [1, 40, 2**64], ids=["one number", "versions", "hardly a number twice"])
def test_every_row_of_a_number_is_found(count: int, span: int) -> None:
    """However many have it, in whatever blocks they stand; unknown numbers lie between, in front and behind."""
    random = np.random.default_rng(count)
    numbers = (random.integers(0, 2**64, count, dtype=np.uint64) % np.uint64(span - 1 or 1)).view(np.int64).tolist()
    rows = rows_of(numbers)
    wanted = [*numbers[::2], LEAST, MOST, -1, 0, 20, 39, 40, *(number + 1 for number in numbers[1::5]), *numbers[:3]]
    with closing(RowFile.sort(batches(rows, 4), count, None)) as days:
        assert found(days, wanted) == in_memory(rows, wanted)
        assert found(days, []) == set()
        for number in (LEAST, MOST, *numbers[:5]):
            assert found(days, [number]) == in_memory(rows, [number])


@pytest.mark.usefixtures("_sizes")
def test_the_least_and_the_greatest_numbers_are_found() -> None:
    """Those at the ends of what numbers there are stand in the first block and in the last."""
    numbers = [MOST, LEAST, 0, MOST, LEAST, -1, *range(-200, 200, 7)]
    rows = rows_of(numbers)
    with closing(RowFile.sort(batches(rows, 9), len(rows), None)) as days:
        assert found(days, numbers) == in_memory(rows, numbers)


def test_a_wrong_count_of_rows_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It only decides how many rows are sorted at one time."""
    monkeypatch.setattr(row_file, "RUN_ROWS", 10)
    rows = rows_of(np.random.default_rng(1).integers(LEAST, MOST, 200).tolist())
    for count in (0, 1, 5_000):
        with closing(RowFile.sort(batches(rows, 9), count, None)) as days:
            assert found(days, rows["id"].tolist()) == in_memory(rows, rows["id"].tolist())


def test_memory_holds_few_of_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sorting takes some runs' memory, of which a number of each block stays; a look-up takes its blocks'."""
    monkeypatch.setattr(row_file, "RUN_ROWS", 2_000)
    random, count = np.random.default_rng(1), 100_000
    made = (rows_of(random.integers(LEAST, MOST, 500).tolist()) for _ in range(count // 500))
    tracemalloc.start()
    try:
        with closing(RowFile.sort(made, count, None)) as days:
            left, most = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            days.find(random.integers(LEAST, MOST, 100))
            looked_up = tracemalloc.get_traced_memory()[1] - left
    finally:
        tracemalloc.stop()
    assert most < 0.3 * count * ROW.itemsize
    assert left < 2.2 * count / row_file.BLOCK_ROWS * 8
    assert looked_up < 6 * 100 * row_file.BLOCK_ROWS * ROW.itemsize


def test_the_file_has_no_name_and_goes_with_close(tmp_path: Path) -> None:
    """It lies in the folder that was given; there is nothing to remove, however the process ends."""
    days = RowFile.sort([rows_of([1, 2])], 2, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert len(found(days, [2])) == 1
    days.close()
    with pytest.raises(ValueError, match="closed"):
        days.find(np.array([2]))


def test_rows_that_cannot_be_read_leave_no_file_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails meanwhile is told, and both files are closed."""
    opened = []
    make = row_file.tempfile.TemporaryFile

    def noted(dir: Path | None) -> object:  # noqa: A002 - the name that it is called with
        opened.append(make(dir=dir))
        return opened[-1]

    def broken() -> Iterator[Rows]:
        yield rows_of([1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(row_file.tempfile, "TemporaryFile", noted)
    with pytest.raises(OSError, match="No space"):
        RowFile.sort(broken(), 1, tmp_path)
    assert [file.closed for file in opened] == [True, True]
