"""What the tasks add to the library: the day, patience with Graph, and a word on how far it is."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException

from entra_lake.errors import ThrottledError
from entra_lake.progress import Progress
from entra_lake.tasks import ProgressReporter, day_of_context, put_off_when_throttled


def context(first: datetime | None = None, store: Any = None) -> Any:
    """Return as much of a task's context as these functions use."""
    return {"ti": SimpleNamespace(get_first_reschedule_date=lambda _: first), "task_state_store": store}


def throttled(seconds: float) -> ThrottledError:
    """Return what the client raises when Graph asks for a pause."""
    return ThrottledError("later", retry_after=seconds)


@pytest.mark.fault(8)
@pytest.mark.defect("D11")
def test_a_long_pause_costs_no_try() -> None:
    """Above a minute the task gives its slot back and starts again when Graph wants to be asked."""
    with pytest.raises(AirflowRescheduleException) as caught, put_off_when_throttled(context()):
        raise throttled(300)
    wait = caught.value.reschedule_date - datetime.now(UTC)
    assert timedelta(seconds=290) < wait <= timedelta(seconds=300)


@pytest.mark.parametrize(("seconds", "hours_ago"), [(60, None), (300, 12), (86_400, None)])
def test_other_pauses_are_retries(seconds: float, hours_ago: int | None) -> None:
    """A short pause, one that never ends and one of a day go through the retry policy: somebody hears of it."""
    first = datetime.now(UTC) - timedelta(hours=hours_ago) if hours_ago else None
    with pytest.raises(ThrottledError), put_off_when_throttled(context(first)):
        raise throttled(seconds)


def progress(page: int) -> Progress:
    """Return the progress behind a page."""
    return Progress(
        stream="sign_ins",
        day="2026-11-22",
        slice="000000-240000",
        pages=page,
        records=1000 * page,
        seconds=2.0 * page,
        waited_seconds=0.5,
        done=0.25,
    )


def test_progress_shows_in_log_and_state(caplog: pytest.LogCaptureFixture) -> None:
    """The first page is reported at once, the next ones only every few seconds."""
    kept: dict[str, Any] = {}
    reporter = ProgressReporter(context(store=SimpleNamespace(set=kept.__setitem__)))
    with caplog.at_level(logging.INFO, "entra_lake.tasks"):
        for page in (1, 2, 3):
            reporter.take(progress(page))
    (line,) = [record.getMessage() for record in caplog.records if record.name == "entra_lake.tasks"]
    for said in ("sign_ins 2026-11-22", "page 1", "1000 records", "500 records/s", "0.5 s throttled", "s left"):
        assert said in line
    assert kept["progress"]["records"] == 1000


def test_a_state_that_cannot_be_written_stops_nothing() -> None:
    """The listing matters; its report does not."""
    ProgressReporter(context(store=None)).take(progress(1))


def test_the_day_comes_from_the_run() -> None:
    """Key, parameter and due time are read from Airflow's context."""
    run = SimpleNamespace(run_after=datetime(2026, 11, 23, 6, tzinfo=UTC))
    facts = {"dag_run": run, "params": {"day": None}, "partition_key": None}
    assert str(day_of_context(facts)) == "2026-11-22"  # type: ignore[arg-type]
    assert str(day_of_context({**facts, "partition_key": "2026-11-14"})) == "2026-11-14"  # type: ignore[arg-type]
