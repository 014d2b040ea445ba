"""Changed records on disk: all of them come back, in the order of their rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entra_lake.changed_records import ChangedRecords

RECORDS = st.lists(st.tuples(st.integers(0, 9), st.binary(max_size=9)), max_size=9)


@given(pages=st.lists(RECORDS, max_size=5), most=st.integers(1, 40))
def test_all_come_back_in_the_order_of_their_rows(
    pages: list[list[tuple[int, bytes]]], most: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Those of one row as they were added; never more bytes at one time than is asked for, but for a single record."""
    with ChangedRecords(tmp_path_factory.getbasetemp()) as changed:
        for page in pages:
            changed.add([line for _, line in page], np.array([row for row, _ in page], dtype=np.int64))
        batches = list(changed.batches(most))
    listed = sorted((item for page in pages for item in page), key=lambda item: item[0])
    assert [line for batch in batches for line in batch] == [line for _, line in listed]
    assert all(batches)
    assert all(len(batch) == 1 or sum(map(len, batch)) <= most for batch in batches)


def test_they_wait_on_disk_in_a_file_without_a_name(tmp_path: Path) -> None:
    """There is nothing to remove, however the process ends."""
    with ChangedRecords(tmp_path) as changed:
        changed.add([b"{}"], np.array([0]))
        assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="closed"):
        changed.add([b"{}"], np.array([0]))
    with pytest.raises(FileNotFoundError, match="elsewhere"):
        ChangedRecords(tmp_path / "elsewhere")
