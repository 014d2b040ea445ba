"""Which day a run is about."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from entra_lake.budget import Priority
from entra_lake.errors import ConfigurationError
from entra_lake.runs import day_of_run, priority_of_run

RUN_AFTER = datetime(2026, 11, 23, 6, tzinfo=UTC)
DAY = date(2026, 11, 14)


@pytest.mark.parametrize(
    ("partition_key", "params_day", "expected"),
    [
        ("2026-11-14", None, DAY),
        (None, "2026-11-14", DAY),
        ("2026-11-14", "2026-11-14", DAY),
        ("", "", date(2026, 11, 22)),
        (None, None, date(2026, 11, 22)),
    ],
)
def test_the_day_is_key_then_parameter_then_yesterday(
    partition_key: str | None, params_day: str | None, expected: date
) -> None:
    """The partition key decides, else the parameter, else the day before the run was due."""
    assert day_of_run(partition_key, params_day, RUN_AFTER) == expected


@pytest.mark.fault(59)
def test_yesterday_is_a_utc_day() -> None:
    """A run that was due at 01:00 in Berlin is about the day before the day before."""
    run_after = datetime(2026, 11, 23, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    assert day_of_run(None, None, run_after) == date(2026, 11, 21)


def test_two_different_days_are_refused() -> None:
    """A key and a parameter that disagree name no day: the run fails and says both."""
    with pytest.raises(ConfigurationError, match=r"2026-11-14.*2026-11-15"):
        day_of_run("2026-11-14", "2026-11-15", RUN_AFTER)


@pytest.mark.parametrize("text", ["yesterday", "2026-11-31", "20261114T00", "../../etc"])
def test_what_is_no_day_is_refused(text: str) -> None:
    """A key that names no day is an error that shows the form."""
    with pytest.raises(ConfigurationError, match="YYYY-MM-DD"):
        day_of_run(text, None, RUN_AFTER)


@pytest.mark.parametrize(
    ("dag_id", "run_type", "priority"),
    [
        ("entra_logs", "scheduled", Priority.SCHEDULED),
        ("entra_logs__other", "scheduled", Priority.SCHEDULED),
        ("entra_reconcile", "scheduled", Priority.RECONCILE),
        ("entra_reconcile__other", "scheduled", Priority.RECONCILE),
        ("entra_logs", "backfill", Priority.BACKFILL),
        ("entra_logs", "manual", Priority.BACKFILL),
        ("entra_reconcile", "manual", Priority.BACKFILL),
    ],
)
def test_whose_turn_it_is(dag_id: str, run_type: str, priority: Priority) -> None:
    """The daily run asks Graph first, then reconcile, then whatever a person has started."""
    assert priority_of_run(dag_id, run_type) is priority
