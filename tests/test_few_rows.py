"""A few rows of a large row group, in memory that does not follow the group."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from entra_lake import few_rows
from entra_lake.few_rows import first_rows, read_few

PLUGINS = Path(__file__).parents[1] / "plugins"
ROWS, TEXT_BYTES = 60_000, 500
NUMBERS = [0, 7, 4_999, 12_000, ROWS - 1]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Write thirty megabytes of texts that each stand once, and as many of texts that repeat, in one row group."""
    unique = [f"{number:{TEXT_BYTES}d}" for number in range(ROWS)]
    table = pa.table({"unique": unique, "repeated": [unique[number % 100] for number in range(ROWS)]})
    pq.write_table(table, tmp_path / "day.parquet", use_dictionary=["repeated"], compression="zstd", store_schema=False)
    return tmp_path / "day.parquet"


@pytest.fixture
def file(path: Path) -> Iterator[pq.ParquetFile]:
    """Open it as a reading does."""
    with pq.ParquetFile(path, read_dictionary=["repeated"]) as opened:
        yield opened


def test_few_rows_are_those_that_were_asked_for(file: pq.ParquetFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once each and in the order of the object, though they lie in several parts of the row group."""
    monkeypatch.setattr(few_rows, "BATCH_BYTES", 256 * 1024)
    found = read_few(file, np.array([7, *reversed(NUMBERS)]), ["unique", "repeated"])
    assert [int(text) for text in found["unique"].to_pylist()] == NUMBERS
    assert [int(text) for text in found["repeated"].to_pylist()] == [number % 100 for number in NUMBERS]
    assert found.get_total_buffer_size() < 40 * TEXT_BYTES, "all texts of the dictionary are held"


PEAK = """
import sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
from entra_lake.few_rows import read_few
file = pq.ParquetFile(sys.argv[1], read_dictionary=["repeated"])
read_few(file, np.array([0, 59_999]), sys.argv[2:])
print(pa.default_memory_pool().max_memory())
"""


@pytest.mark.parametrize("column", ["unique", "repeated"])
def test_few_rows_take_little_memory(path: Path, column: str) -> None:
    """Unique texts are decoded in parts, repeated ones stand once: neither takes what all rows would."""
    command = [sys.executable, "-c", PEAK, path, column]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(PLUGINS)})
    assert int(done.stdout) < 0.3 * ROWS * TEXT_BYTES


def test_repeated_texts_are_decoded_at_once(file: pq.ParquetFile) -> None:
    """Their dictionary would be decoded again for each part."""
    assert few_rows._batch_rows(file, 0, "repeated") >= ROWS
    assert 1 <= few_rows._batch_rows(file, 0, "unique") < ROWS


def test_row_groups_begin_where_the_one_before_ends(tmp_path: Path) -> None:
    """The last number is that of all rows; an object may have none."""
    for rows, expected in ((0, {(0,), (0, 0)}), (5, {(0, 2, 4, 5)})):
        pq.write_table(pa.table({"id": pa.array(range(rows), pa.int32())}), tmp_path / "few.parquet", row_group_size=2)
        with pq.ParquetFile(tmp_path / "few.parquet") as file:
            assert tuple(first_rows(file)) in expected
