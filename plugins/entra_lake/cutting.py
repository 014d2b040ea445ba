"""How a day is cut into slices that can be listed side by side.

Each slice ends in a page that is half empty on the average, so slices have many pages: a small day is
one slice. And none has too many: skiptokens of long listings die, and what is lost with one is listed
again. Where the events lie is known from an earlier object of the stream; where nothing is known, a
listing that turns out to be long is given up early and cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from entra_lake.slices import SHORTEST_SLICE, Slice

#: Pages that are worth a slice of their own: the half-empty last one is 1 % of them.
FEWEST_PAGES: Final = 40
#: Pages that no slice is planned to have: chains of 487 were seen to die (microsoft-graph-docs 6892).
MOST_PAGES: Final = 200
#: Pages at which a listing is given up and cut, whatever it was planned to have.
TOO_MANY_PAGES: Final = 400
#: Slices of a large day: several for each of the listings side by side, so that these end together.
SLICES: Final = 24
#: A listing that turns out to have at least so many pages is given up and cut.
WORTH_CUTTING: Final = 2 * FEWEST_PAGES
#: What was listed may be given up as long as it is no more than this share of the whole.
_WASTE: Final = 1 / 16
#: Where requests are left over meanwhile, it may be half, if all of it side by side then ends in so much of the time
#: that the rest would take alone.
_WASTE_OF_LEFT_OVER: Final = 1 / 2
_WORTH_THE_TIME: Final = 2 / 3


@dataclass(frozen=True)
class Stretch:
    """A part of the event time and how many records it is expected to hold."""

    window: Slice
    records: float


def cut(window: Slice, expected: Sequence[Stretch], page_size: int) -> tuple[Slice, ...]:
    """Cut a slice so that each piece holds as many of the expected records; one piece where nothing is known."""
    stretches = sorted((part for item in expected if (part := _clip(item, window))), key=lambda item: item.window)
    total = sum(item.records for item in stretches)
    pieces = pieces_for(total / page_size)
    moments = [_moment(stretches, total * number / pieces) for number in range(1, pieces)]
    inside = sorted({moment for moment in moments if window.start < moment < window.end})
    return tuple(Slice(start, end) for start, end in pairwise([window.start, *inside, window.end]))


def pieces_for(pages: float) -> int:
    """Return into how many slices a listing of so many pages is best cut."""
    if pages < 2 * FEWEST_PAGES:
        return 1
    return round(pages / min(max(pages / SLICES, FEWEST_PAGES), MOST_PAGES))


def pieces_of_running(pages: int, share: float | None, *, left_over: bool, is_planned: bool = False) -> int:
    """Return into how many slices a listing should be cut that has come so far; 1 lets it go on.

    :param pages: how many were listed.
    :param share: the part of the slice that they cover; None while it cannot be told.
    :param left_over: whether Graph allows more requests than are made.
    :param is_planned: whether the slice was cut by where events lie: that is known better than its first pages tell,
        which are denser or thinner than the rest.
    """
    likely = pages / share if share and share > 0 else 0.0
    if pages >= TOO_MANY_PAGES:
        return max(2, pieces_for(likely))
    pieces = pieces_for(likely)
    is_quicker = left_over and likely / pieces <= _WORTH_THE_TIME * (likely - pages)
    is_cheap = pages <= likely * (_WASTE_OF_LEFT_OVER if is_quicker else _WASTE)
    is_worth_it = likely >= (TOO_MANY_PAGES if is_planned else WORTH_CUTTING)
    return pieces if is_cheap and is_worth_it else 1


def _clip(item: Stretch, window: Slice) -> Stretch | None:
    """Return the part of a stretch inside the window, with its share of the records; None when there is none."""
    start, end = max(item.window.start, window.start), min(item.window.end, window.end)
    if end - start < SHORTEST_SLICE:
        return None
    return Stretch(Slice(start, end), item.records * ((end - start) / (item.window.end - item.window.start)))


def _moment(stretches: Sequence[Stretch], records: float) -> datetime:
    """Return the whole second before which so many records are expected."""
    for item in stretches:
        if records <= item.records:
            length = (item.window.end - item.window.start).total_seconds()
            return item.window.start + timedelta(seconds=int(length * records / item.records))
        records -= item.records
    return stretches[-1].window.end
