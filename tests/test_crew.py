"""Listings side by side: everything is listed once, whatever breaks on the way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from entra_lake.clock import Clock
from entra_lake.crew import MOST_AT_ONCE, MOST_FAILURES_IN_A_ROW, Crew, OnProgress
from entra_lake.cutting import TOO_MANY_PAGES
from entra_lake.errors import GraphUnavailableError, ListingBrokenError, ThrottledError
from entra_lake.pages import InvalidPage
from entra_lake.passes import SliceReport, missing_slices
from entra_lake.progress import Progress
from entra_lake.slices import Slice

WHOLE = Slice.of_day(date(2026, 11, 22))
POISON = datetime(2026, 11, 22, 3, 4, 5, tzinfo=UTC)
HOURS = WHOLE.split(24)


def report_of(window: Slice, listed: int = 1) -> SliceReport:
    return SliceReport(start=window.start.isoformat(), end=window.end.isoformat(), listed=listed)


def progress_of(window: Slice, pages: int, done: float | None, waited: float = 0.0) -> Progress:
    return Progress(
        stream="sign_ins",
        day="2026-11-22",
        slice=window.name,
        pages=pages,
        records=pages * 10,
        seconds=pages,
        waited_seconds=waited,
        done=done,
    )


def run(slices: tuple[Slice, ...], list_one: Callable[[Slice, OnProgress], SliceReport]) -> list[SliceReport]:
    """Let a crew list the slices; return the reports that it kept."""
    kept: list[SliceReport] = []
    Crew(slices, list_one, kept.append, Clock(sleep=lambda _: None)).work(lambda _: None)
    return kept


def assert_whole(kept: list[SliceReport]) -> None:
    """Every moment of the day was listed, none twice."""
    pieces = sorted(item.window for item in kept)
    assert missing_slices(WHOLE, pieces) == []
    assert sum((piece.end - piece.start for piece in pieces), timedelta()) == timedelta(days=1)


def invalid_page() -> InvalidPage:
    return InvalidPage("an error stands in place of records")


def timed_out() -> GraphUnavailableError:
    error = GraphUnavailableError("no answer came in time")
    error.timed_out = True
    return error


def test_slices_are_listed_side_by_side() -> None:
    """Eight listings run at a time, no more; all slices are kept."""
    all_there, at_once, most = threading.Barrier(MOST_AT_ONCE, timeout=20), set(), []

    def list_one(window: Slice, on_page: OnProgress) -> SliceReport:
        at_once.add(window)
        most.append(len(at_once))
        on_page(progress_of(window, 1, None))
        all_there.wait()
        at_once.discard(window)
        return report_of(window)

    assert_whole(run(HOURS, list_one))
    assert max(most) == MOST_AT_ONCE


def test_no_more_listings_than_the_budget_feeds() -> None:
    """Where the first listing waits for the budget already, a second one would get no more pages: it is not begun."""
    at_once, most = set(), []

    def list_one(window: Slice, on_page: OnProgress) -> SliceReport:
        at_once.add(window)
        for number in range(1, 6):
            on_page(progress_of(window, number, None, waited=number / 5))
            most.append(len(at_once))
        at_once.discard(window)
        return report_of(window)

    assert_whole(run(HOURS, list_one))
    assert max(most) == 1


def test_finished_slices_are_kept_one_at_a_time() -> None:
    """Two checkpoints are never written at once: the pass that they add up to is shared."""
    kept: list[SliceReport] = []
    inside = threading.Lock()

    def keep(report: SliceReport) -> None:
        assert inside.acquire(blocking=False)
        kept.append(report)
        inside.release()

    Crew(HOURS, lambda window, _: report_of(window), keep, Clock()).work(lambda _: None)
    assert_whole(kept)


def test_a_poisoned_second_is_isolated_among_others() -> None:
    """A record that Graph cannot write out costs one second; all others of the day are listed and kept."""

    def list_one(window: Slice, _: OnProgress) -> SliceReport:
        if window.holds(POISON):
            raise invalid_page()
        return report_of(window)

    kept = run(HOURS, list_one)
    assert_whole(kept)
    failed = [item.window for item in kept if item.failed]
    assert failed == [Slice(POISON, POISON + timedelta(seconds=1))]


@pytest.mark.parametrize("error", [timed_out(), ListingBrokenError("the listing cannot go on")], ids=["slow", "broken"])
def test_what_is_too_much_for_graph_is_halved(error: Exception) -> None:
    """Slices of which Graph cannot list more than an hour at once are halved until it can."""

    def list_one(window: Slice, _: OnProgress) -> SliceReport:
        if window.end - window.start > timedelta(hours=1):
            raise error
        return report_of(window)

    kept = run((WHOLE,), list_one)
    assert_whole(kept)
    assert len(kept) == 32


def test_halving_ends_at_a_minute() -> None:
    """A time-out is no matter of one record: below a minute it is the step that fails, and nothing is given up."""
    seen: list[Slice] = []

    def list_one(window: Slice, _: OnProgress) -> SliceReport:
        seen.append(window)
        if window.holds(POISON):
            raise timed_out()
        return report_of(window)

    with pytest.raises(GraphUnavailableError, match="in time"):
        run((WHOLE,), list_one)
    assert min(window.end - window.start for window in seen) >= timedelta(seconds=60)


def test_a_fault_of_graphs_own_is_not_halved_for_ever() -> None:
    """When no slice that holds records can be listed, the step ends after some tries, though empty ones can."""
    tries: list[Slice] = []

    def list_one(window: Slice, _: OnProgress) -> SliceReport:
        tries.append(window)
        if window.start.minute % 2 and window.end - window.start < timedelta(minutes=1):
            return report_of(window, listed=0)
        raise invalid_page()

    with pytest.raises(InvalidPage):
        run(HOURS, list_one)
    assert len(tries) <= 2 * MOST_FAILURES_IN_A_ROW


def test_a_listing_without_end_is_cut() -> None:
    """No listing grows past the bound of pages: it is cut, and what it was is listed in pieces."""
    most_pages: dict[Slice, int] = {}

    def list_one(window: Slice, on_page: OnProgress) -> SliceReport:
        pages = int((window.end - window.start).total_seconds()) // 60
        for number in range(1, pages + 1):
            most_pages[window] = number
            on_page(progress_of(window, number, None))
        return report_of(window)

    assert_whole(run((WHOLE,), list_one))
    assert max(most_pages.values()) == TOO_MANY_PAGES


def test_a_long_listing_is_cut_before_much_is_lost() -> None:
    """A listing whose second page shows a thousand more is cut there, and its pieces are listed."""
    given_up: list[int] = []

    def list_one(window: Slice, on_page: OnProgress) -> SliceReport:
        pages = int((window.end - window.start).total_seconds()) // 86
        for number in range(1, pages + 1):
            try:
                on_page(progress_of(window, number, number / pages if number > 1 else None, waited=number))
            except Exception:
                given_up.append(number)
                raise
        return report_of(window)

    kept = run((WHOLE,), list_one)
    assert_whole(kept)
    assert given_up == [2]
    assert len(kept) == 24


def test_an_error_ends_all_listings_and_keeps_what_is_done() -> None:
    """When one listing meets what does not pass, the others end behind their page; finished slices stay finished."""
    error = ThrottledError("Graph is throttling this application", retry_after=3600)
    failed = threading.Event()
    kept: list[SliceReport] = []
    ended: list[Slice] = []

    def list_one(window: Slice, on_page: OnProgress) -> SliceReport:
        on_page(progress_of(window, 1, None))
        if window == HOURS[0]:
            return report_of(window)
        if window == HOURS[1]:
            failed.set()
            raise error
        assert failed.wait(20)
        for number in range(1, 1_000_000):
            try:
                on_page(progress_of(window, number, None))
            except Exception:
                ended.append(window)
                raise
        return report_of(window)

    crew = Crew(HOURS[:4], list_one, kept.append, Clock())
    with pytest.raises(ThrottledError) as caught:
        crew.work(lambda _: None)
    assert caught.value is error
    assert HOURS[0] in {item.window for item in kept}
    assert {item.window for item in kept} == {HOURS[0]}
    assert set(ended) <= set(HOURS[2:4])


def test_progress_is_of_the_whole_pass() -> None:
    """What is told behind a page is told in the caller's thread, and adds all slices up."""
    told: list[Progress] = []
    threads: set[str] = set()

    def list_one(window: Slice, on_page: OnProgress) -> SliceReport:
        on_page(progress_of(window, 1, None))
        on_page(progress_of(window, 2, 1.0))
        return report_of(window)

    def on_progress(progress: Progress) -> None:
        told.append(progress)
        threads.add(threading.current_thread().name)

    Crew(HOURS[:3], list_one, lambda _: None, Clock()).work(on_progress)
    assert threads == {threading.current_thread().name}
    assert (told[-1].pages, told[-1].records) == (6, 60)
    assert told[-1].done is not None
    assert told[-1].done <= 1
    assert "of 3 slices" in told[-1].line()


def test_nothing_to_list_is_no_work() -> None:
    """A pass that was listed to its end and not completed starts nothing."""
    assert run((), lambda window, _: report_of(window)) == []
