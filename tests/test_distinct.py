"""How many different ids were listed, in memory that does not grow with them."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entra_lake.distinct import DistinctIds

IDS = st.lists(st.lists(st.sampled_from([f"id {number}" for number in range(20)]), max_size=8), max_size=5)


@given(pages=IDS)
def test_an_id_counts_once(pages: list[list[str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    """However often and on whichever pages it is listed, and an empty listing has none."""
    with DistinctIds(tmp_path_factory.getbasetemp()) as ids:
        for page in pages:
            ids.add(page)
        assert ids.count() == len({name for page in pages for name in page})


def test_ids_wait_on_disk(tmp_path: Path) -> None:
    """Memory holds those of a page, until they are counted; the file has no name and is gone afterwards."""
    tracemalloc.start()
    try:
        with DistinctIds(tmp_path) as ids:
            for page in range(100):
                ids.add([f"{page} {number}" for number in range(1_000)])
            assert tracemalloc.get_traced_memory()[0] < 100_000, "of 800,000 bytes"
            assert list(tmp_path.iterdir()) == []
            assert ids.count() == 100_000
    finally:
        tracemalloc.stop()
    with pytest.raises(ValueError, match="closed"):
        ids.add(["late"])
