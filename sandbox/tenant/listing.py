"""One query, listed page by page, newest first; what it shows is pinned at its first page."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from threading import Lock

from entra_lake.schema import Stream
from sandbox.tenant.conditions import Candidate, bounds, matches
from sandbox.tenant.filters import Node
from sandbox.tenant.records import Records
from sandbox.tenant.versions import Seen

_REMEMBERED = 500


@dataclass(frozen=True)
class Query:
    """What a listing asks for.

    :param first: the oldest instant that it may show (ticks).
    :param last: the newest one.
    :param snapshot: what was visible then is shown; None shows what is visible at each page.
    """

    stream: Stream
    condition: Node | None
    first: int
    last: int
    page_size: int
    ascending: bool
    snapshot: int | None
    parameters: tuple[tuple[str, str], ...]


@dataclass
class Page:
    """A part of a listing.

    :param ahead: the first row of the next page, if there is one.
    """

    listing: Listing
    number: int
    offset: int
    rows: list[Seen]
    ahead: Seen | None
    next_offset: int | None = None

    def __post_init__(self) -> None:
        if self.ahead is not None:
            self.next_offset = self.offset + len(self.rows)


@dataclass
class _Position:
    """Where a page begins.

    :param shown: rows of the chunk that come before it.
    :param index: rows of the whole listing that come before it, dropped ones included.
    :param issued: when its link was handed out (ticks).
    """

    chunk: int
    shown: int
    index: int
    number: int
    issued: int


@dataclass
class Listing:
    """A query on its way through its pages.

    :param dropped: rows [first, end) that are silently left out: the fault of a short listing.
    """

    query: Query
    records: Records
    token: str = field(default_factory=lambda: os.urandom(16).hex())
    dropped: tuple[int, int] = (0, 0)
    _places: dict[int, _Position] = field(default_factory=dict)
    _recent: dict[tuple[int, int], list[Seen]] = field(default_factory=dict)

    def begin(self, now: int) -> None:
        """Put the first page at offset 0."""
        self._places[0] = _Position(self._chunks().start, 0, 0, 1, now)

    def issued(self, offset: int) -> int | None:
        """Return when the offset's link was handed out; None when it never was."""
        place = self._places.get(offset)
        return None if place is None else place.issued

    def page_number(self, offset: int) -> int | None:
        """Return the number of the page at the offset; None when no link leads there."""
        place = self._places.get(offset)
        return None if place is None else place.number

    def offset_of_page(self, number: int) -> int:
        """Return the offset of the page of this number; of the first one when there is none."""
        return next((offset for offset, place in self._places.items() if place.number == number), 0)

    def count(self, now: int) -> int:
        """Count all rows of the listing."""
        return sum(len(self._matching(chunk, self._snapshot(now))) for chunk in self._chunks())

    def page(self, offset: int, now: int, size: int | None = None) -> Page:
        """Return the page that begins at the offset."""
        place = self._places[offset]
        size = size or self.query.page_size
        if self.query.snapshot is None:
            place = self._moved(place, offset, now)
        rows: list[Seen] = []
        for chunk, shown, index, row in self._from(place, now):
            if len(rows) == size:
                self._places[offset + size] = _Position(chunk, shown, index, place.number + 1, now)
                return Page(self, place.number, offset, rows, row)
            rows.append(row)
        return Page(self, place.number, offset, rows, None)

    def outside(self, now: int) -> list[Seen]:
        """Return a few records from just before the window."""
        chunk = self.records.chunk_start(self.query.first)
        step = self.records.chunk_ticks
        older = [
            row
            for start in range(chunk - 24 * step, chunk + step, step)
            for row in self.records.seen(self.query.stream, start, now)
            if row.ticks < self.query.first
        ]
        return older[-3:]

    def _chunks(self) -> range:
        step = self.records.chunk_ticks
        first, last = self.records.chunk_start(self.query.first), self.records.chunk_start(self.query.last)
        return range(first, last + step, step) if self.query.ascending else range(last, first - step, -step)

    def _from(self, place: _Position, now: int) -> Iterator[tuple[int, int, int, Seen]]:
        chunks = self._chunks()
        index = place.index
        for chunk in chunks[chunks.index(place.chunk) :] if place.chunk in chunks else ():
            rows = self._matching(chunk, self._snapshot(now))
            for shown in range(place.shown if chunk == place.chunk else 0, len(rows)):
                if not self.dropped[0] <= index < self.dropped[1]:
                    yield chunk, shown, index, rows[shown]
                index += 1

    def _moved(self, place: _Position, offset: int, now: int) -> _Position:
        """Find the offset anew in a set that may have grown in front of it."""
        rest = offset
        for chunk in self._chunks():
            rows = self._matching(chunk, now)
            if rest <= len(rows):
                return replace(place, chunk=chunk, shown=rest)
            rest -= len(rows)
        return place

    def _snapshot(self, now: int) -> int:
        return now if self.query.snapshot is None else self.query.snapshot

    def _matching(self, chunk: int, snapshot: int) -> list[Seen]:
        key = (chunk, snapshot)
        recent = self._recent
        if key in recent:
            return recent[key]
        query = self.query
        rows = [
            row
            for row in self.records.seen(query.stream, chunk, snapshot)
            if query.first <= row.ticks <= query.last
            and matches(query.condition, Candidate(row, query.stream.time_field).value)
        ]
        if not query.ascending:
            rows.reverse()
        self._recent = {key: rows}
        return rows


class Listings:
    """The listings that can be continued, by their skiptoken; the oldest ones are forgotten."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Listing] = OrderedDict()
        self._lock = Lock()

    def remember(self, listing: Listing) -> None:
        """Keep a listing."""
        with self._lock:
            self._known[listing.token] = listing
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)

    def find(self, token: str) -> Listing | None:
        """Return the listing of a skiptoken's hash."""
        return self._known.get(token)

    def clear(self) -> None:
        """Forget all listings: their skiptokens are invalid from now on."""
        with self._lock:
            self._known.clear()


def window(node: Node | None, time_field: str, oldest: int, now: int) -> tuple[int, int]:
    """Return the instants that a listing has to look at: the filter's, within what the tenant keeps."""
    first, last = bounds(node, time_field)
    return max(oldest, oldest if first is None else first), min(now, now if last is None else last)
