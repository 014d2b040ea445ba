"""One slice of a day, listed from Graph; slices that break halve themselves until they heal."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pyarrow.parquet as pq

from entra_lake.errors import GraphUnavailableError, ListingBrokenError
from entra_lake.graph import GraphClient
from entra_lake.known import Known, Standing
from entra_lake.lake import Lake
from entra_lake.news import NewsFilter
from entra_lake.pages import InvalidPage, Page
from entra_lake.passes import SliceReport
from entra_lake.progress import Progress
from entra_lake.raw import RawWriter
from entra_lake.schema import Stream
from entra_lake.slices import SHORTEST_SLICE, Slice
from entra_lake.windows import place, start_of_day

log = logging.getLogger(__name__)

#: A slice whose listing breaks or takes too long is halved until it is as short as this.
SHORTEST_HALF_SECONDS = 60
#: Listings that fail one after the other before the fault is Graph's and not a record's. Halving a day down to one
#: second takes 17.
MOST_FAILURES_IN_A_ROW = 20
_MS = 1000

OnProgress = Callable[[Progress], None]


@dataclass(frozen=True)
class Memory:
    """What the lake holds of the day, and the object to look closer."""

    known: Known
    file: pq.ParquetFile | None


def list_slices(slices: list[Slice], list_one: Callable[[Slice], SliceReport]) -> Iterator[SliceReport]:
    """List slices one after the other; halve those that break.

    :param list_one: lists one slice to its end.
    :returns: reports that together cover the slices; one that `failed` is a second that Graph cannot write out.
    :raises ListingBrokenError, GraphUnavailableError: when halving does not help.
    """
    todo, failures = list(slices), 0
    while todo:
        window = todo.pop(0)
        try:
            yield list_one(window)
            failures = 0
        except (ListingBrokenError, GraphUnavailableError) as error:
            failures += 1
            if failures > MOST_FAILURES_IN_A_ROW:
                raise
            if _is_poisoned(window, error):
                yield _give_up(window, error)
            else:
                todo = [*_halve(window, error), *todo]


def _halve(window: Slice, error: ListingBrokenError | GraphUnavailableError) -> tuple[Slice, Slice]:
    """Return the halves of a slice whose listing was too much for Graph; raise the error when that cannot help."""
    shortest = SHORTEST_SLICE.total_seconds() if isinstance(error, InvalidPage) else SHORTEST_HALF_SECONDS
    may_help = isinstance(error, (ListingBrokenError, InvalidPage)) or error.timed_out
    if not may_help or (window.end - window.start).total_seconds() < 2 * shortest:
        raise error
    return window.halve()


def _is_poisoned(window: Slice, error: ListingBrokenError | GraphUnavailableError) -> bool:
    """Tell whether Graph cannot write out what happened in this one second: asking again will not help."""
    return isinstance(error, InvalidPage) and window.end - window.start < 2 * SHORTEST_SLICE


def _give_up(window: Slice, error: ListingBrokenError | GraphUnavailableError) -> SliceReport:
    """Return the report of a slice that cannot be had: the day is partial, and the manifest names the slice."""
    log.error("A record between %s and %s cannot be had: %s", window.start, window.end, error)
    return SliceReport(start=window.start.isoformat(), end=window.end.isoformat(), failed=error.message)


def list_slice(  # noqa: PLR0913, PLR0917 - what a listing needs to know
    lake: Lake,
    graph: GraphClient,
    stream: Stream,
    day: date,
    window: Slice,
    pass_id: str,
    memory: Memory,
    on_progress: OnProgress,
) -> SliceReport:
    """List one slice to its end, and write its news to raw/.

    :raises ListingBrokenError, GraphUnavailableError: when the listing cannot be finished.
    """
    writer = RawWriter(lake.store, stream, day, pass_id)
    listing = Listing(stream, day, window, NewsFilter(stream, memory.known, memory.file), writer)
    began, waited = lake.clock.monotonic(), graph.waited_seconds
    for page in graph.list_pages(stream, window):
        listing.take(page)
        seconds = lake.clock.monotonic() - began
        on_progress(listing.progress(seconds, graph.waited_seconds - waited))
    return replace(listing.finish(memory.known), waited_seconds=round(graph.waited_seconds - waited, 3))


class Listing:
    """One slice while it is listed."""

    def __init__(self, stream: Stream, day: date, window: Slice, news: NewsFilter, writer: RawWriter) -> None:
        self._stream = stream
        self._day = Slice.of_day(day)
        self._day_start = start_of_day(day)
        self._window = window
        self._news = news
        self._writer = writer
        self._ids: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = []
        self._seen: list[tuple[int, int]] = []
        self._report = SliceReport(start=window.start.isoformat(), end=window.end.isoformat())

    def take(self, page: Page) -> None:
        """Write the news of a page."""
        listed = self._news.identify(page.records)
        inside = [item for item in listed if self._is_inside(item[1].event_time)]
        for line, identity in self._news.sift(inside):
            self._writer.add(line, place(identity.event_time, self._day_start))
        self._ids.append(np.fromiter((hash(i.id) for _, i in inside), np.int64, count=len(inside)))
        times = [place(i.event_time, self._day_start) for _, i in inside]
        self._seen = [*self._seen, (min(times), max(times))][-2:] if times else self._seen
        self._report = replace(
            self._report,
            pages=self._report.pages + 1,
            listed=self._report.listed + len(listed),
            outside=self._report.outside + len(listed) - len(inside),
            bytes_received=self._report.bytes_received + page.size,
            first_request_id=self._report.first_request_id or page.request_id,
            last_request_id=page.request_id,
        )

    def finish(self, known: Known) -> SliceReport:
        """Write what is left and return the slice's report."""
        for line, identity in self._news.rest():
            self._writer.add(line, place(identity.event_time, self._day_start))
        self._writer.flush()
        ids = np.unique(np.concatenate(self._ids)) if self._ids else np.array([], dtype=np.int64)
        return replace(
            self._report,
            ids=int(ids.size),
            new=self._news.counts[Standing.NEW],
            changed=self._news.counts[Standing.CHANGED],
            missing=known.count_missing(
                int(self._window.start.timestamp()) * _MS, int(self._window.end.timestamp()) * _MS
            ),
            parts=tuple(self._writer.keys),
        )

    def progress(self, seconds: float, waited: float) -> Progress:
        """Return how far the listing is."""
        return Progress(
            stream=self._stream.name,
            day=str(self._day.start.date()),
            slice=self._window.name,
            pages=self._report.pages,
            records=self._report.listed,
            seconds=seconds,
            waited_seconds=waited,
            done=self._share(),
        )

    def _share(self) -> float | None:
        """Return which part of the slice is listed, by where its last two pages lie; None while there is only one."""
        if len(self._seen) < 2:  # noqa: PLR2004 - two pages show the direction
            return None
        start, end = self._window.start.timestamp() * _MS, self._window.end.timestamp() * _MS
        before, last = self._seen
        return (last[1] - start) / (end - start) if last > before else (end - last[0]) / (end - start)

    def _is_inside(self, event_time: int | None) -> bool:
        start, end = self._day.start.timestamp() * _MS, self._day.end.timestamp() * _MS
        return event_time is None or start <= event_time < end
