"""Several slices listed side by side, at one request budget; slices that break halve themselves until they heal.

A listing alone gets one page for each time that Graph takes to answer; several of them side by side use
the whole budget, however slow the pages are. Another one is begun only while requests are left over, so
that no more is unfinished than must be when a run is interrupted. What they share is guarded by one
lock, so the order in which pages arrive means nothing. A small day is one listing.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from threading import Lock

from entra_lake.clock import Clock
from entra_lake.cutting import pieces_of_running
from entra_lake.errors import GraphUnavailableError, ListingBrokenError
from entra_lake.pages import InvalidPage
from entra_lake.passes import SliceReport
from entra_lake.progress import Progress, add_up
from entra_lake.slices import SHORTEST_SLICE, Slice

log = logging.getLogger(__name__)

#: Listings side by side: five slow pages of ten seconds use the whole budget, and some fall out for a while.
MOST_AT_ONCE = 8
#: A slice whose listing breaks or takes too long is halved until it is as short as this.
SHORTEST_HALF_SECONDS = 60
#: Listings that fail one after the other before the fault is Graph's and not a record's. Halving a day down to one
#: second takes 17.
MOST_FAILURES_IN_A_ROW = 40

#: Listings that spend this share of their time on waiting for the request budget show that all of it is used.
BUSY = 0.1
#: The last pages that tell it: what was an hour ago says nothing of who is idle now.
LATELY = MOST_AT_ONCE

OnProgress = Callable[[Progress], None]
#: Lists one slice to its end, and tells how far it is behind each page.
ListOne = Callable[[Slice, OnProgress], SliceReport]


class _CutError(Exception):
    """The slice is long; it is listed in so many pieces instead."""

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces


class _StoppedError(Exception):
    """Another listing has failed, and this one ends with it."""


class Crew:
    """List slices side by side, each to its end.

    :param slices: what is to be listed; where it is cut or halved, the pieces cover it.
    :param list_one: lists one slice.
    :param keep: notes a finished slice, so that it need not be listed again; called by one listing at a time.
        A report that `failed` is of a second that Graph cannot write out.
    :param clock: starts the threads.
    :param are_planned: whether the slices were cut by where events lie.
    """

    def __init__(
        self,
        slices: Iterable[Slice],
        list_one: ListOne,
        keep: Callable[[SliceReport], None],
        clock: Clock,
        *,
        are_planned: bool = False,
    ) -> None:
        self._todo = deque(slices)
        self._planned = frozenset(self._todo if are_planned else ())
        self._list_one = list_one
        self._keep = keep
        self._clock = clock
        self._lock = Lock()
        self._began = clock.monotonic()
        self._at_work = 0
        self._failures = 0
        self._stopping = False
        self._errors: list[BaseException] = []
        self._running: dict[Slice, Progress] = {}
        self._finished: list[Progress] = []
        #: Of each of the last pages: its seconds, and those of them that were spent on waiting for the budget.
        self._lately: deque[tuple[float, float]] = deque(maxlen=LATELY)
        self._told: SimpleQueue[Progress | None] = SimpleQueue()

    def work(self, on_progress: OnProgress) -> None:
        """List everything; `on_progress` is called in this thread.

        :raises ListingBrokenError, GraphUnavailableError: when halving does not help.
        :raises EntraLakeError: the first error of any listing; the others stop behind their page.
        """
        if not self._todo:
            return
        try:
            with self._lock:
                self._hire()
            while (progress := self._told.get()) is not None:
                on_progress(progress)
        finally:
            self._stopping = True
        if self._errors:
            raise self._errors[0]

    def _hire(self) -> None:
        """Start another listing if there is something for it to do."""
        if self._todo and self._at_work < MOST_AT_ONCE and not self._stopping:
            self._at_work += 1
            self._clock.start(self._work)

    def _work(self) -> None:
        try:
            while (window := self._next()) is not None:
                self._list(window)
        except BaseException as error:  # noqa: BLE001 - it is raised again, in the thread that waits for all
            with self._lock:
                self._errors.append(error)
                self._stopping = True
        finally:
            with self._lock:
                self._at_work -= 1
                if not self._at_work:
                    self._told.put(None)

    def _next(self) -> Slice | None:
        with self._lock:
            if self._stopping or not self._todo:
                return None
            return self._todo.popleft()

    def _list(self, window: Slice) -> None:
        try:
            report = self._list_one(window, lambda progress: self._turn_page(window, progress))
        except _StoppedError:
            return
        except _CutError as cut:
            self._put_back(window, window.split(cut.pieces))
        except (ListingBrokenError, GraphUnavailableError) as error:
            self._heal(window, error)
        else:
            self._finish(window, report)

    def _turn_page(self, window: Slice, progress: Progress) -> None:
        """Tell how far all listings are; stop this one where it is of no use any more."""
        if self._stopping:
            raise _StoppedError
        with self._lock:
            before = self._running.get(window)
            self._lately.append(_time_of_page(before, progress))
            leaves_over = self._leaves_over()
            pieces = pieces_of_running(
                progress.pages,
                progress.done,
                left_over=leaves_over and not self._todo,
                is_planned=window in self._planned,
            )
            pieces = min(pieces, int((window.end - window.start).total_seconds()))
            if pieces > 1:
                raise _CutError(pieces)
            self._running[window] = progress
            self._told.put(self._add_up())
            if leaves_over:
                self._hire()

    def _leaves_over(self) -> bool:
        """Tell whether another listing would get more pages: there is room, and those there are need not wait."""
        waited = sum(waited for _, waited in self._lately)
        return self._at_work < MOST_AT_ONCE and waited <= BUSY * sum(seconds for seconds, _ in self._lately)

    def _add_up(self) -> Progress:
        return add_up(
            self._finished,
            list(self._running.values()),
            len(self._todo),
            seconds=self._clock.monotonic() - self._began,
            side_by_side=MOST_AT_ONCE,
        )

    def _finish(self, window: Slice, report: SliceReport) -> None:
        with self._lock:
            if report.listed:  # an empty slice says nothing of whether Graph is well
                self._failures = 0
            self._keep(report)
            if progress := self._running.pop(window, None):
                self._finished.append(progress)

    def _put_back(self, window: Slice, pieces: Iterable[Slice]) -> None:
        with self._lock:
            self._running.pop(window, None)
            self._todo.extendleft(reversed(tuple(pieces)))

    def _heal(self, window: Slice, error: ListingBrokenError | GraphUnavailableError) -> None:
        """Have the halves listed of a slice whose listing was too much for Graph.

        :raises ListingBrokenError, GraphUnavailableError: this error, when that cannot help.
        """
        with self._lock:
            self._failures += 1
            if self._failures > MOST_FAILURES_IN_A_ROW:
                raise error
        if _is_poisoned(window, error):
            self._finish(window, _give_up(window, error))
        else:
            self._put_back(window, _halve(window, error))


def _time_of_page(before: Progress | None, now: Progress) -> tuple[float, float]:
    """Return a page's seconds, and how many of them were waited for the budget."""
    seconds, waited = (before.seconds, before.waited_seconds) if before else (0.0, 0.0)
    return now.seconds - seconds, now.waited_seconds - waited


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
