"""How long a daily run takes beside a backfill that would use all of the allowance, on simulated time."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

from benchmarks.scene import DAY, Scene, tenant
from entra_lake.budget import Priority
from entra_lake.extract import extract
from entra_lake.progress import Progress
from entra_lake.schema import Stream

#: Days of the backfill: all that lie within retention.
DAYS = 26
_LONGEST_WAIT = 60.0


class _OverError(Exception):
    """The daily run is done, and with it the measurement."""


def daily_seconds(stream: Stream, pages: int, latency: float, *, is_beside: bool) -> float:
    """Return the simulated seconds that a day of so many pages takes the scheduled run, alone or beside a backfill."""
    with (
        # The backfill's listings end behind their page, which may be a little later.
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name,
        tenant(Path(name), pages * stream.page_size, latency) as scene,
    ):
        if not is_beside:
            return _daily(scene, stream)
        begun, over = Event(), Event()
        thread = Thread(target=_backfill, args=(scene, stream, begun, over))
        thread.start()
        try:
            if not begun.wait(_LONGEST_WAIT):
                message = "the backfill does not begin"
                raise TimeoutError(message)
            return _daily(scene, stream)
        finally:
            over.set()
            thread.join()


def _daily(scene: Scene, stream: Stream) -> float:
    begun = scene.time.seconds()
    extract(replace(scene.lake, priority=Priority.SCHEDULED), stream, DAY, "daily")
    return scene.time.seconds() - begun


def _backfill(scene: Scene, stream: Stream, begun: Event, over: Event) -> None:
    """Read older days until the daily run is over."""

    def on_progress(progress: Progress) -> None:
        if progress.pages >= 10:  # noqa: PLR2004 - it is in full swing: all of a window is used
            begun.set()
        if over.is_set():
            raise _OverError

    lake = replace(scene.lake, priority=Priority.BACKFILL)
    try:
        for age in range(1, DAYS):
            extract(lake, stream, DAY - timedelta(days=age), "backfill", on_progress)
    except _OverError:
        return
