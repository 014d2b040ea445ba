"""Raw parts that are read together: as many as fill a piece, and no more than memory is meant for."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from entra_lake.cells import PIECE_RECORDS
from entra_lake.layout import RawPart
from entra_lake.windows import MOST_PARTS, read_together

PARTS = st.lists(
    st.builds(
        RawPart,
        key=st.just("raw/part"),
        pass_id=st.sampled_from(["first", "second"]),
        first=st.just(0),
        last=st.just(0),
        records=st.integers(1, PIECE_RECORDS + 100),
    ),
    max_size=12,
)


@given(parts=PARTS)
def test_parts_of_one_pass_are_read_together(parts: list[RawPart]) -> None:
    """All parts in their order; no more than fit one piece and stand side by side, and never fewer."""
    runs = list(read_together(parts))
    assert [part for run in runs for part in run] == parts
    assert all(_may_be(run) for run in runs)
    assert not any(_may_be([*run, following[0]]) for run, following in pairwise(runs))


def _may_be(run: list[RawPart]) -> bool:
    is_one_piece = len(run) == 1 or sum(part.records for part in run) <= PIECE_RECORDS
    return len({part.pass_id for part in run}) == 1 and len(run) <= MOST_PARTS and is_one_piece
