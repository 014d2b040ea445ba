"""One slice of a day, listed from Graph to its end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from threading import Lock

import pyarrow.parquet as pq

from entra_lake.changed_records import ChangedRecords
from entra_lake.changes import add_up
from entra_lake.crew import OnProgress
from entra_lake.distinct import DistinctIds
from entra_lake.freed_memory import trim
from entra_lake.graph import GraphClient
from entra_lake.known import Known, Standing
from entra_lake.lake import Lake
from entra_lake.layout import pass_start
from entra_lake.news import NewsFilter
from entra_lake.pages import Page
from entra_lake.passes import SliceReport
from entra_lake.progress import Progress
from entra_lake.raw import RawWriter
from entra_lake.schema import Stream
from entra_lake.scratch import scratch
from entra_lake.slices import Slice
from entra_lake.tombstones import Tombstones
from entra_lake.windows import place, start_of_day

_MS = 1000


@dataclass(frozen=True)
class Memory:
    """What the lake holds of the day, and the object to look closer.

    :param erased: which records were erased, and must not come back.
    :param lock: held by the listing that uses them: several list side by side.
    """

    known: Known
    file: pq.ParquetFile | None
    erased: Tombstones = field(default_factory=Tombstones)
    lock: Lock = field(default_factory=Lock)


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
    """List one slice to its end, and write its news to raw/; may run beside others of the same day.

    At most one page is in memory for each listing, and pages are worked on one by one.

    :raises ListingBrokenError, GraphUnavailableError: when the listing cannot be finished.
    :raises DiskFullError: when this machine's disk has no room for what waits for the listing's end.
    """
    writer = RawWriter(lake.store, stream, day, pass_id)
    seen_at = int(pass_start(pass_id).timestamp()) * _MS
    began, waited = lake.clock.monotonic(), graph.waited_seconds
    with scratch(lake.folder) as folder, DistinctIds(folder) as ids, ChangedRecords(folder) as changed:
        news = NewsFilter(stream, memory.known, seen_at, changed)
        listing = Listing(stream, day, window, news, writer, memory.erased, ids)
        for page in graph.list_pages(stream, window):
            with memory.lock:
                listing.take(page)
            del page
            trim()
            seconds = lake.clock.monotonic() - began
            on_progress(listing.progress(seconds, graph.waited_seconds - waited))
        with memory.lock:
            report = listing.finish(memory.known)
    return replace(report, waited_seconds=round(graph.waited_seconds - waited, 3))


class Listing:
    """One slice while it is listed."""

    def __init__(  # noqa: PLR0913, PLR0917 - what it compares with, and where to it writes
        self,
        stream: Stream,
        day: date,
        window: Slice,
        news: NewsFilter,
        writer: RawWriter,
        erased: Tombstones,
        ids: DistinctIds,
    ) -> None:
        self._stream = stream
        self._day = Slice.of_day(day)
        self._day_start = start_of_day(day)
        self._window = window
        self._news = news
        self._writer = writer
        self._erased = erased
        self._ids = ids
        self._seen: list[tuple[int, int]] = []
        self._report = SliceReport(start=window.start.isoformat(), end=window.end.isoformat())

    def take(self, page: Page) -> None:
        """Write the new records of a page; changed ones wait for the end."""
        listed = self._news.identify(page.records)
        inside = [item for item in listed if self._is_inside(item[1].event_time)]
        kept = [item for item in inside if not self._erased.hold(item[1].id)]
        for line, identity in self._news.sift(kept):
            self._writer.add(line, place(identity.event_time, self._day_start))
        self._ids.add([identity.id for _, identity in kept])
        times = [place(i.event_time, self._day_start) for _, i in inside]
        self._seen = [*self._seen, (min(times), max(times))][-2:] if times else self._seen
        self._report = replace(
            self._report,
            pages=self._report.pages + 1,
            listed=self._report.listed + len(listed),
            outside=self._report.outside + len(listed) - len(inside),
            erased=self._report.erased + len(inside) - len(kept),
            bytes_received=self._report.bytes_received + page.size,
            first_request_id=self._report.first_request_id or page.request_id,
            last_request_id=page.request_id,
        )

    def finish(self, known: Known) -> SliceReport:
        """Write what has changed and return the slice's report."""
        for line, identity in self._news.rest():
            self._writer.add(line, place(identity.event_time, self._day_start))
        self._writer.flush()
        return replace(
            self._report,
            ids=self._ids.count(),
            new=self._news.counts[Standing.NEW],
            changed=self._news.counts[Standing.CHANGED],
            missing=known.count_missing(
                int(self._window.start.timestamp()) * _MS, int(self._window.end.timestamp()) * _MS
            ),
            lateness=dict(self._news.lateness),
            changed_fields=add_up([self._news.changed_fields]),
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
