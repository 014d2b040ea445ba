"""Days and slices join without gap or overlap."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entra_lake.errors import ConfigurationError, FutureDayError, RetentionError
from entra_lake.passes import missing_slices
from entra_lake.slices import Slice, check_day, filter_text, parse_day
from entra_lake.streams import STREAMS

DAY = date(2024, 2, 29)
NOW = datetime(2026, 11, 23, 0, 0, 3, tzinfo=UTC)


@given(st.integers(1, 500))
def test_split_covers_the_day(parts: int) -> None:
    """However a day is split, each moment lies in exactly one slice."""
    pieces = Slice.of_day(DAY).split(parts)
    assert pieces[0].start == datetime(2024, 2, 29, tzinfo=UTC)
    assert pieces[-1].end == datetime(2024, 3, 1, tzinfo=UTC)
    assert all(left.end == right.start for left, right in pairwise(pieces))


@given(st.integers(0, 86_398), st.integers(1, 86_400))
def test_halves_join(start: int, length: int) -> None:
    """The halves of a slice are that slice; one of a single second cannot be halved."""
    begin = Slice.of_day(DAY).start + timedelta(seconds=start)
    window = Slice(begin, begin + timedelta(seconds=length))
    if length == 1:
        with pytest.raises(ConfigurationError):
            window.halve()
        return
    left, right = window.halve()
    assert (left.start, left.end, right.end) == (window.start, right.start, window.end)


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(1, 40)), max_size=8))
def test_what_is_missing_completes_the_day(done: list[tuple[int, int]]) -> None:
    """The finished slices and those still missing cover the day, and nothing is listed twice for them."""
    day = Slice.of_day(DAY)
    step = timedelta(seconds=864)
    finished = [Slice(day.start + step * a, min(day.end, day.start + step * (a + b))) for a, b in done]
    missing = missing_slices(day, finished)
    for index in range(100):
        moment = day.start + step * index
        assert any(piece.holds(moment) for piece in finished) != any(piece.holds(moment) for piece in missing)


@pytest.mark.fault(22)
def test_filter_is_half_open() -> None:
    """Graph is asked for `ge` the start and `lt` the end, so that midnight belongs to one day."""
    text = filter_text(STREAMS["sign_ins"], Slice.of_day(DAY))
    assert text == "createdDateTime ge 2024-02-29T00:00:00Z and createdDateTime lt 2024-03-01T00:00:00Z"


def test_extra_filter_comes_first() -> None:
    """A stream that Graph serves only under a condition carries it in every filter."""
    stream = replace(STREAMS["sign_ins"], extra_filter="signInEventTypes/any(t: t eq 'managedIdentity')")
    text = filter_text(stream, Slice.of_day(DAY))
    assert text.startswith("signInEventTypes/any(t: t eq 'managedIdentity') and created")


@pytest.mark.parametrize("day", [date(2026, 11, 23), date(2026, 11, 22), date(2026, 10, 24)])
def test_days_within_retention_pass(day: date) -> None:
    """Today, which is not over, and every day that Microsoft still keeps may be read."""
    check_day(day, NOW, 30)


def test_a_future_day_is_refused() -> None:
    """A day that has not begun is refused with the latest day that can be read."""
    with pytest.raises(FutureDayError, match="2026-11-22"):
        check_day(date(2026, 11, 24), NOW, 30)


@pytest.mark.fault(14)
def test_a_day_beyond_retention_is_refused() -> None:
    """A day that Microsoft has deleted is refused with the oldest one that can be read."""
    with pytest.raises(RetentionError, match="2026-10-24"):
        check_day(date(2026, 10, 23), NOW, 30)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "22.11.2026", "2026-11-22T00:00:00"])
def test_only_dates_are_days(text: str) -> None:
    """Whatever is no date is refused with the form that is expected."""
    with pytest.raises(ConfigurationError, match="YYYY-MM-DD"):
        parse_day(text)
