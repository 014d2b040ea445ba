"""A cause is mailed once: per run, and per six hours over all runs, until it works again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from entra_lake.errors import CredentialError, DetectionFailedError, EntraLakeError, RetentionError, ThrottledError
from entra_lake.failures import DETECTIONS, Failure, describe
from entra_lake.incidents import claim, close, withdraw
from entra_lake.lake import Lake

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)


def failure(day: int, error: EntraLakeError, stream: str = "sign_ins", run: str = "") -> Failure:
    """Return a failure of a run of its own for that day of November."""
    return Failure(
        dag_id="entra_logs",
        run_id=run or f"run {day}",
        lake="default",
        cause=describe(error),
        task_id=f"{stream}.extract",
        stream=stream,
        day=date(2026, 11, day),
    )


def test_one_run_mails_a_cause_once(lake: Lake) -> None:
    """Task and run, a heartbeat that is missed twice, two streams with one refused login: one mail."""
    refused = CredentialError("no")
    assert claim(lake.store, failure(22, refused), NOW) == ("2026-11-22",)
    assert claim(lake.store, failure(22, refused), NOW) is None
    assert claim(lake.store, failure(22, refused, stream="directory_audits"), NOW) is None
    slow = ThrottledError("slow", retry_after=9)
    assert claim(lake.store, failure(22, slow), NOW)
    assert claim(lake.store, failure(22, slow, stream="directory_audits"), NOW)


def test_runs_of_six_hours_share_a_mail(lake: Lake) -> None:
    """The days that come later are noted and listed by the reminder; the good news is told once, with all days."""
    refused = CredentialError("no")
    assert claim(lake.store, failure(20, refused), NOW)
    assert claim(lake.store, failure(21, refused), NOW + HOUR) is None
    assert claim(lake.store, failure(22, refused), NOW + 7 * HOUR) == ("2026-11-20", "2026-11-21", "2026-11-22")
    (incident,) = close(lake.store, "directory_audits", "2026-11-19")
    assert incident.days == ("2026-11-20", "2026-11-21", "2026-11-22")
    assert not list(close(lake.store, "sign_ins", "2026-11-19"))
    assert claim(lake.store, failure(22, refused, run="again"), NOW + 8 * HOUR) == ("2026-11-22",)


def test_other_streams_and_days_do_not_end_an_incident(lake: Lake) -> None:
    """A throttled stream works again when it does, and a day that is too old never does."""
    claim(lake.store, failure(22, ThrottledError("slow", retry_after=9)), NOW)
    claim(lake.store, failure(1, RetentionError("old")), NOW)
    assert not list(close(lake.store, "directory_audits", "2026-11-22"))
    assert [item.cause for item in close(lake.store, "sign_ins", "2026-11-22")] == ["EL101-sign_ins"]
    assert [item.cause for item in close(lake.store, "sign_ins", "2026-11-01")] == ["EL205-2026-11-01"]


def test_a_reading_under_way_does_not_end_an_incident(lake: Lake) -> None:
    """What began before the login was refused has an older token: only a later reading shows that logins work."""
    claim(lake.store, failure(22, CredentialError("no")), NOW)
    claim(lake.store, failure(21, CredentialError("no")), NOW + HOUR)
    assert not list(close(lake.store, "directory_audits", "2026-11-22", NOW + HOUR / 2))
    later = close(lake.store, "directory_audits", "2026-11-22", NOW + 2 * HOUR)
    assert [item.cause for item in later] == ["EL202"]


def test_a_mail_that_was_not_sent_silences_nothing(lake: Lake) -> None:
    """After a mail server was down, the next run's failure is mailed."""
    slow = ThrottledError("slow", retry_after=9)
    claim(lake.store, failure(20, slow), NOW)
    withdraw(lake.store, failure(20, slow))
    assert claim(lake.store, failure(21, slow), NOW + HOUR) == ("2026-11-20", "2026-11-21")


def test_a_bucket_out_of_reach_is_an_error(lake: Lake) -> None:
    """Whoever cannot ask is told so, and mails."""
    lake.store.bucket = "no-such-bucket-anywhere"
    with pytest.raises(EntraLakeError):
        claim(lake.store, failure(22, CredentialError("no")), NOW)


def test_detections_and_streams_end_only_their_own_incidents(lake: Lake) -> None:
    """That rules run says nothing of a refused login, and that a day was read says nothing of a broken rule."""
    claim(lake.store, failure(22, CredentialError("no")), NOW)
    claim(lake.store, failure(22, DetectionFailedError("broken"), stream=DETECTIONS), NOW)
    assert [item.cause for item in close(lake.store, DETECTIONS, "")] == ["EL215-detections"]
    claim(lake.store, failure(23, DetectionFailedError("broken"), stream=DETECTIONS), NOW)
    assert [item.cause for item in close(lake.store, "sign_ins", "2026-11-22")] == ["EL202"]
