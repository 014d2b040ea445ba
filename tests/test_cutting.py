"""How a day is cut: into slices of many pages each, that join without gap or overlap."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entra_lake.cutting import (
    FEWEST_PAGES,
    MOST_PAGES,
    TOO_MANY_PAGES,
    Stretch,
    cut,
    pieces_for,
    pieces_of_running,
)
from entra_lake.slices import Slice

WHOLE = Slice.of_day(date(2026, 11, 22))
PAGE = 1000


def hours(*records: float) -> list[Stretch]:
    """Return stretches of an hour each."""
    start, hour = datetime(2026, 11, 22, tzinfo=UTC), timedelta(hours=1)
    return [Stretch(Slice(start + hour * n, start + hour * (n + 1)), count) for n, count in enumerate(records)]


def records_in(piece: Slice, stretches: list[Stretch]) -> float:
    """Return how many records a piece is expected to hold."""
    total = 0.0
    for item in stretches:
        start, end = max(item.window.start, piece.start), min(item.window.end, piece.end)
        total += item.records * max((end - start) / (item.window.end - item.window.start), 0)
    return total


@given(st.lists(st.floats(0, 3e5), max_size=24))
def test_pieces_join(records: list[float]) -> None:
    """Whatever is expected, the pieces are the slice: no moment is left out, none is listed twice."""
    pieces = cut(WHOLE, hours(*records), PAGE)
    assert (pieces[0].start, pieces[-1].end) == (WHOLE.start, WHOLE.end)
    assert all(left.end == right.start for left, right in pairwise(pieces))


@pytest.mark.parametrize("records", [[], [0.0] * 24, [3300.0] * 24])
def test_a_small_day_is_one_slice(records: list[float]) -> None:
    """Below 80 pages, and where nothing is known, a day is asked for as a whole."""
    assert cut(WHOLE, hours(*records), PAGE) == (WHOLE,)


def test_a_large_day_is_cut_where_its_events_are() -> None:
    """A million records, nearly all of them in office hours, become slices of equal weight."""
    stretches = hours(*[2_000.0] * 7, *[95_000.0] * 10, *[5_000.0] * 7)
    pieces = cut(WHOLE, stretches, PAGE)
    pages = [records_in(piece, stretches) / PAGE for piece in pieces]
    assert len(pieces) == 24
    assert min(pages) > 0.98 * FEWEST_PAGES
    assert max(pages) < 1.02 * min(pages)


def test_a_huge_day_has_no_long_slice() -> None:
    """Ten million records in a few seconds' stretch or over the day: no slice is planned with over 200 pages."""
    stretches = hours(*[10_000_000 / 24] * 24)
    assert max(records_in(piece, stretches) / PAGE for piece in cut(WHOLE, stretches, PAGE)) <= MOST_PAGES * 1.01


def test_a_part_of_a_day_is_cut_by_its_own_events() -> None:
    """What an interrupted pass has left is cut by what lies in it, not by the whole day's number."""
    rest = Slice(WHOLE.start + timedelta(hours=20), WHOLE.end)
    assert cut(rest, hours(*[50_000.0] * 20, *[1_000.0] * 4), PAGE) == (rest,)


@pytest.mark.parametrize(("pages", "pieces"), [(1, 1), (79, 1), (80, 2), (400, 10), (1000, 24), (10_000, 50)])
def test_slices_have_many_pages(pages: int, pieces: int) -> None:
    """Each slice has 40 pages at least, and 200 at most, whatever the day's size."""
    assert pieces_for(pages) == pieces


def test_a_planned_slice_is_cut_only_when_the_plan_was_wrong() -> None:
    """The first pages of a slice that was cut by its events say little; ten times as many events say enough."""
    assert pieces_of_running(2, 2 / 130, left_over=True, is_planned=True) == 1
    assert pieces_of_running(2, 2 / 130, left_over=True) > 1
    assert pieces_of_running(2, 2 / 1300, left_over=False, is_planned=True) > 1


@pytest.mark.parametrize(
    ("pages", "share", "left_over", "cut_up"),
    [
        (1, None, True, False),  # one page shows no direction
        (2, 0.5, True, False),  # a small day
        (2, 0.03, True, False),  # 67 pages: two listings of 34 are not worth it
        (2, 0.018, False, True),  # 111 pages
        (2, 0.002, False, True),  # a thousand pages
        (20, 0.1, False, False),  # two hundred, a tenth of them is done, and every request is used
        (20, 0.1, True, True),  # the same, and most of the allowance lies idle
        (60, 0.3, True, True),  # two hundred: cut in five, all of it takes less than the rest alone
        (60, 0.3, False, False),
        (120, 0.6, True, False),  # too late
        (100, None, True, False),
        (TOO_MANY_PAGES, None, False, True),
        (TOO_MANY_PAGES, 0.9, False, True),
    ],
)
def test_a_long_listing_is_given_up_early_or_never(
    pages: int,
    share: float | None,
    *,
    left_over: bool,
    cut_up: bool,
) -> None:
    """A listing is cut while little of it is lost, and then only when it grows past every bound."""
    assert (pieces_of_running(pages, share, left_over=left_over) > 1) == cut_up
