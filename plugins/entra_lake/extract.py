"""extract: list a day from Graph and write what is new, as received, to raw/."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from entra_lake.build import build_day, is_current
from entra_lake.checkpoints import Checkpoints, left_to_list
from entra_lake.errors import GraphUnavailableError, ListingBrokenError
from entra_lake.footer import open_parquet, read_footer
from entra_lake.graph import GraphClient
from entra_lake.known import Known, Standing
from entra_lake.lake import Lake
from entra_lake.layout import lake_key, manifest_key
from entra_lake.manifest import Manifest
from entra_lake.news import NewsFilter
from entra_lake.pages import Page
from entra_lake.passes import PassReport, SliceReport
from entra_lake.progress import Progress
from entra_lake.raw import RawWriter, list_parts
from entra_lake.schema import Stream
from entra_lake.slices import SHORTEST_SLICE, Slice, check_day
from entra_lake.windows import place, start_of_day

#: A slice of a listing that breaks is halved until it is as short as this.
SHORTEST_HALF_SECONDS = 60
_MS = 1000

OnProgress = Callable[[Progress], None]


@dataclass(frozen=True)
class Memory:
    """What the lake holds of the day, and the object to look closer."""

    known: Known
    file: pq.ParquetFile | None


def extract(lake: Lake, stream: Stream, day: date, run_id: str, on_progress: OnProgress = lambda _: None) -> PassReport:
    """List every slice of the day to its end and write the news.

    A pass that was completed and never acknowledged is taken up instead of asking Graph again; a pass
    that this run began goes on with the slices that it has not finished.

    :param run_id: names the run; the same run goes on where it was interrupted.
    :returns: the complete pass.
    :raises RetentionError, FutureDayError: before anything is asked.
    :raises EntraLakeError: what Graph or S3 answered; finished slices stay finished.
    """
    check_day(day, lake.clock.now(), lake.settings.retention_days)
    checkpoints = Checkpoints(lake.store, stream, day)
    waiting = _unacknowledged(lake, stream, day, checkpoints)
    if waiting:
        return waiting
    report = checkpoints.resume(run_id) or checkpoints.begin(run_id, lake.clock.now(), _window(lake, day))
    with recall(lake, stream, day, report.pass_id) as memory, lake.open_graph() as graph:
        todo = left_to_list(report)
        while todo:
            window = todo.pop(0)
            try:
                done = _list_slice(lake, graph, stream, day, window, report, memory, on_progress)
            except (ListingBrokenError, GraphUnavailableError) as error:
                todo = [*_halve(window, error), *todo]
            else:
                report = checkpoints.finish_slice(report, done)
    return checkpoints.complete(report, lake.clock.now())


@contextmanager
def recall(lake: Lake, stream: Stream, day: date, own_pass: str) -> Iterator[Memory]:
    """Give what the lake holds of the day, apart from what this pass itself has written.

    If raw holds more than the day's object (a run died between the two), the object is built again,
    on this machine only, to know what is in it.
    """
    parts = [part for part in list_parts(lake.store, stream, day) if part.pass_id != own_pass]
    found = read_footer(lake.store, lake_key(stream, day)) if parts else None
    start = start_of_day(day)
    if not parts:
        yield Memory(Known.nothing(), None)
    elif found and is_current(found[0], stream, parts):
        file = open_parquet(lake.store, found[1])
        yield Memory(Known.from_parquet(file, start), file)
    else:
        with tempfile.TemporaryDirectory(dir=lake.folder) as folder:
            built = build_day(lake.store, stream, day, lake.tenant_id, Path(folder) / "known.parquet", parts)
            with pq.ParquetFile(built.path) as file:
                yield Memory(Known.from_parquet(file, start), file)


def read_manifest(lake: Lake, stream: Stream, day: date) -> tuple[Manifest, bytes, str] | None:
    """Return the day's manifest, its bytes and its ETag; None when there is none."""
    found = lake.store.read(manifest_key(stream, day))
    return (Manifest.from_bytes(found[0]), *found) if found else None


def _unacknowledged(lake: Lake, stream: Stream, day: date, checkpoints: Checkpoints) -> PassReport | None:
    """Return the last complete pass over the whole day that no manifest knows: Athena or S3 failed after it."""
    found = read_manifest(lake, stream, day)
    known = found[0].pass_ids if found else frozenset()
    whole = Slice.of_day(day)
    waiting = [item for item in checkpoints.completed() if item.pass_id not in known and item.window == whole]
    return waiting[-1] if waiting else None


def _window(lake: Lake, day: date) -> Slice:
    """Return the day, or the part of it that is over."""
    whole = Slice.of_day(day)
    now = lake.clock.now().replace(microsecond=0)
    return Slice(whole.start, min(whole.end, max(now, whole.start + SHORTEST_SLICE)))


def _halve(window: Slice, error: ListingBrokenError | GraphUnavailableError) -> tuple[Slice, Slice]:
    """Return the halves of a slice whose listing was too much for Graph; raise the error when that cannot help."""
    may_help = isinstance(error, ListingBrokenError) or error.timed_out
    if not may_help or (window.end - window.start).total_seconds() < 2 * SHORTEST_HALF_SECONDS:
        raise error
    return window.halve()


def _list_slice(  # noqa: PLR0913, PLR0917 - what a listing needs to know
    lake: Lake,
    graph: GraphClient,
    stream: Stream,
    day: date,
    window: Slice,
    report: PassReport,
    memory: Memory,
    on_progress: OnProgress,
) -> SliceReport:
    writer = RawWriter(lake.store, stream, day, report.pass_id)
    listing = _Listing(stream, day, window, NewsFilter(stream, memory.known, memory.file), writer)
    began, waited = lake.clock.monotonic(), graph.waited_seconds
    for page in graph.list_pages(stream, window):
        listing.take(page)
        seconds = lake.clock.monotonic() - began
        on_progress(listing.progress(seconds, graph.waited_seconds - waited))
    return replace(listing.finish(memory.known), waited_seconds=round(graph.waited_seconds - waited, 3))


class _Listing:
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
