"""extract: list a day from Graph and write what is new, as received, to raw/."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq

from entra_lake.arrow import repeated_columns
from entra_lake.build import build_day, is_current
from entra_lake.checkpoints import Checkpoints, OpenPass, left_to_list
from entra_lake.crew import Crew, OnProgress
from entra_lake.cutting import cut
from entra_lake.errors import RetentionError
from entra_lake.expected import expect
from entra_lake.footer import read_footer
from entra_lake.freed_memory import give_back
from entra_lake.known import Known
from entra_lake.lake import Lake
from entra_lake.layout import lake_key, manifest_key
from entra_lake.listing import Memory, list_slice
from entra_lake.manifest import Manifest
from entra_lake.passes import PassReport, SliceReport
from entra_lake.raw import RawDay, list_day
from entra_lake.retention import rest_of, retention_days
from entra_lake.schema import Stream
from entra_lake.scratch import scratch
from entra_lake.slices import SHORTEST_SLICE, Slice, check_day, iso
from entra_lake.windows import start_of_day


def extract(lake: Lake, stream: Stream, day: date, run_id: str, on_progress: OnProgress = lambda _: None) -> PassReport:
    """List every slice of the day to its end and write the news.

    A pass that was completed and never acknowledged is taken up instead of asking Graph again; a run
    that was interrupted lists only the slices that it has not finished.

    :param run_id: names the run; the same run goes on where it was interrupted.
    :returns: the complete pass.
    :raises RetentionError, FutureDayError: before anything is asked.
    :raises EntraLakeError: what Graph or S3 answered; finished slices stay finished.
    """
    check_day(day, lake.clock.now(), retention_days(lake, stream))
    give_back()
    checkpoints = Checkpoints(lake.store, stream, day)
    waiting = _unacknowledged(lake, stream, day, checkpoints)
    if waiting:
        return waiting
    window = _window(lake, day)
    try:
        return _list_day(lake, stream, day, run_id, window, on_progress)
    except RetentionError as error:
        # Other slices, another pass: the run's own would be resumed with what Graph has refused.
        rest = rest_of(lake, stream, window, error)
        return _list_day(lake, stream, day, f"{run_id} from {iso(rest.start)}", rest, on_progress)


def _list_day(  # noqa: PLR0913, PLR0917 - what a pass needs to know
    lake: Lake, stream: Stream, day: date, run_id: str, window: Slice, on_progress: OnProgress
) -> PassReport:
    """List the window to its end in one pass of this run, or what an interrupted one has left of it."""
    checkpoints = Checkpoints(lake.store, stream, day)
    interrupted = checkpoints.resume(run_id)
    window, finished = (interrupted.window, interrupted.slices) if interrupted else (window, ())
    with recall(lake, stream, day) as memory, lake.open_graph() as graph:
        # Begun behind the look at raw/: what this pass takes for known was written by earlier ones (see verify).
        opened = OpenPass(checkpoints, checkpoints.begin(run_id, lake.clock.now(), window, finished))
        left = left_to_list(opened.report)
        expected = expect(lake.store, stream, day, memory.file) if left else []
        slices = [piece for gap in left for piece in cut(gap, expected, stream.page_size)]

        def list_one(window: Slice, on_page: OnProgress) -> SliceReport:
            return list_slice(lake, graph, stream, day, window, opened.report.pass_id, memory, on_page)

        Crew(slices, list_one, opened.keep, lake.clock, are_planned=bool(expected)).work(on_progress)
    return checkpoints.complete(opened.report, lake.clock.now())


@contextmanager
def recall(lake: Lake, stream: Stream, day: date) -> Iterator[Memory]:
    """Give what the lake holds of the day.

    If raw holds more than the day's object (a run died between the two), the object is built again,
    on this machine only, to know what is in it.

    :raises ConflictError: when another run replaces the object before it is here.
    """
    raw = list_day(lake.store, stream, day)
    if not raw.parts:
        yield Memory(Known.nothing(), None, raw.erased)
        return
    # Opened by Python: what Arrow opens, it reads into memory of the allocator that gives nothing back.
    with (
        scratch(lake.folder) as folder,
        _bring(lake, stream, day, raw, folder).open("rb") as opened,
        pq.ParquetFile(opened, read_dictionary=list(repeated_columns(stream))) as file,
        closing(Known(file, start_of_day(day), folder)) as known,
    ):
        yield Memory(known, file, raw.erased)


def _bring(lake: Lake, stream: Stream, day: date, raw: RawDay, folder: Path) -> Path:
    """Bring the day's object here, where it stays as it is while another run replaces it; or build it."""
    key, path = lake_key(stream, day), folder / "known.parquet"
    found = read_footer(lake.store, key)
    is_here = found and is_current(found[0], stream, raw) and lake.store.download(key, path, found[1].etag)
    return path if is_here else build_day(lake.store, stream, day, lake.tenant_id, path, raw).path


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
