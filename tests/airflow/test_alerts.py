"""Failure mails: once per death, with all that a person needs, whoever notices the death."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from cloud_connections import make_include

from entra_lake.alerts import BEGAN, TOLD, run_failed, run_is_late, stream_works, task_failed
from entra_lake.errors import AthenaUnavailableError, CredentialError, LicenceMissingError
from sandbox.serve import Sandbox

HOURS = 3600
#: Before the first failure of each test.
BEFORE = datetime(2026, 11, 23, 6, tzinfo=UTC)


class TaskInstance(SimpleNamespace):
    """As much of Airflow's task instance as a callback may use."""

    def get_task_states(self, dag_id: str, run_ids: list[str]) -> dict[str, dict[str, str]]:
        """Tell the states of the run's tasks."""
        return {run_ids[0]: self.states}

    def xcom_push(self, key: str, value: Any) -> None:
        """Keep a value, as Airflow's database does."""
        self.xcoms[self.task_id, self.map_index, key] = value

    def xcom_pull(self, *, task_ids: str, key: str, run_id: str, map_indexes: int) -> Any:
        """Return a value."""
        return self.xcoms.get((task_ids, map_indexes, key))


def context(task_id: str = "sign_ins.extract", run_id: str = "run 1", day: str = "2026-11-22", **facts: Any) -> Any:
    """Return what Airflow hands to a callback."""
    xcoms, states = facts.pop("xcoms", {}), facts.pop("states", {task_id: "running"})
    ti = TaskInstance(task_id=task_id, map_index=-1, try_number=2, run_id=run_id, xcoms=xcoms, states=states, task=None)
    ids = ["prepare", "sign_ins.extract", "sign_ins.transform", "directory_audits.extract"]
    return {
        "ti": ti,
        "dag": SimpleNamespace(dag_id="entra_logs", task_ids=ids),
        "run_id": run_id,
        "dag_run": SimpleNamespace(run_after=datetime(2026, 11, 23, 6, tzinfo=UTC)),
        "partition_key": day,
        "params": {},
        **facts,
    }


def read(began: datetime) -> dict[Any, Any]:
    """Return what the task that has read the day has returned."""
    return {("sign_ins.extract", -1, "return_value"): {BEGAN: began.isoformat()}}


def refused() -> CredentialError:
    return CredentialError("Connection 'graph_default': the secret has expired.", request_id="6f2e")


def test_a_task_that_raises_is_mailed_with_all_a_person_needs(cloud: Sandbox) -> None:
    """Stream, day, cause, request id, urgency, what happens next, what to do, links; SIMULATED is said."""
    states = {"sign_ins.extract": "running", "sign_ins.transform": "None", "prepare": "success"}
    task_failed(context(exception=refused(), states=states))
    (mail,) = cloud.mailbox.all()
    assert mail["subject"] == (
        "[entra-lake] FAILED sign_ins 2026-11-22 · the login service refuses the application · "
        "data safe until 2026-12-23 · SIMULATED"
    )
    for said in (
        "the secret has expired",
        "EL202",
        "6f2e",
        "extract: failed",
        "all streams of lake default (",
        "at 2026-12-23 00:00 UTC",
        "Nothing: trying again does not help",
        "Admin → Connections → graph_default",
        """airflow dags trigger entra_logs --conf '{"day": "2026-11-22"}'""",
        "http://airflow.example/dags/entra_logs/runs/run%201/tasks/sign_ins.extract?try_number=2",
        "docs/troubleshooting.md#el202",
        "SIMULATED",
    ):
        assert said in mail["text"], said
    assert cloud.state.client_secret not in mail["text"] + mail["html"]


@pytest.mark.fault(36, 39)
def test_task_and_run_give_one_mail(cloud: Sandbox) -> None:
    """The run's callback mails only what no task could say: a task that was killed, also if that is noticed twice."""
    xcoms: dict[Any, Any] = {}
    task_failed(context(exception=refused(), xcoms=xcoms))
    assert xcoms == {("sign_ins.extract", -1, TOLD): True}
    task_failed(context("directory_audits.extract", exception=refused(), xcoms=xcoms))
    assert xcoms.pop(("directory_audits.extract", -1, TOLD)), "the mail of the other stream counts"
    states = {"sign_ins.extract": "failed", "sign_ins.transform": "upstream_failed"}
    run_failed(context("sign_ins.transform", xcoms=xcoms, states=states, reason="task_failure"))
    assert len(cloud.mailbox.all()) == 1
    states = {**states, "directory_audits.extract": "failed"}
    for _ in range(2):
        run_failed(context("sign_ins.transform", xcoms=xcoms, states=states, reason="task_failure"))
        task_failed(context("directory_audits.extract", states=states))
    _, killed = cloud.mailbox.all()
    assert "FAILED directory_audits 2026-11-22 · the task died without a message" in killed["subject"]


def test_a_run_that_fails_without_a_task_is_mailed(cloud: Sandbox) -> None:
    """A run that timed out, and the barest context that Airflow gives."""
    run_failed({"dag": SimpleNamespace(dag_id="entra_logs", task_ids=[]), "run_id": "run 9", "reason": "timed_out"})
    (mail,) = cloud.mailbox.all()
    assert "FAILED entra_logs · the run failed (timed_out)" in mail["subject"]


def test_the_end_of_a_cause_is_mailed_once(cloud: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two days with one cause are one mail; when a day works, one mail lists both, and that they are missing."""
    task_failed(context(exception=AthenaUnavailableError("slow"), run_id="run 20", day="2026-11-20"))
    task_failed(context(exception=AthenaUnavailableError("slow"), run_id="run 21", day="2026-11-21"))
    assert len(cloud.mailbox.all()) == 1
    offset = float(os.environ["ENTRA_LAKE_CLOCK_OFFSET_SECONDS"]) + 7 * HOURS
    monkeypatch.setenv("ENTRA_LAKE_CLOCK_OFFSET_SECONDS", str(offset))
    for _ in range(2):
        stream_works(context("directory_audits.verify"))
        stream_works(context("sign_ins.verify", xcoms=read(BEFORE)))
    assert len(cloud.mailbox.all()) == 1, "that reading began before the failures"
    for _ in range(2):
        stream_works(context("sign_ins.verify", xcoms=read(BEFORE + timedelta(hours=7))))
    _, mail = cloud.mailbox.all()
    assert "RECOVERED sign_ins · Athena did not answer · works again" in mail["subject"]
    for day in ("2026-11-20", "2026-11-21"):
        assert f"{day}: missing: sign_ins" in mail["text"]
        assert f"""--conf '{{"day": "{day}"}}'""" in mail["text"]


def test_without_the_bucket_mails_go_out(cloud: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """When S3 is what failed, nobody waits for it to decide; the run's callback still does not repeat the task's."""
    monkeypatch.setenv("ENTRA_LAKE_INCLUDE", str(make_include(tmp_path / "include", "no-such-bucket")))
    xcoms: dict[Any, Any] = {}
    task_failed(context("prepare", exception=LicenceMissingError("no licence"), xcoms=xcoms))
    run_failed(context("prepare", xcoms=xcoms, states={"prepare": "failed"}))
    assert len(cloud.mailbox.all()) == 1


@pytest.mark.fault(57)
def test_a_mail_server_that_is_down_changes_nothing(cloud: Sandbox) -> None:
    """The callback returns, nobody counts as told, and the next failure of the cause is mailed."""
    xcoms: dict[Any, Any] = {}
    cloud.mail_server.faults.down = True
    task_failed(context(exception=refused(), xcoms=xcoms))
    assert not xcoms
    cloud.mail_server.faults.down = False
    task_failed(context(exception=refused(), run_id="run 2", day="2026-11-21"))
    (mail,) = cloud.mailbox.all()
    assert "2026-11-21, 2026-11-22" in mail["text"]


def test_a_late_run_is_mailed(cloud: Sandbox) -> None:
    """The triggerer calls with the run as the API writes it."""
    run = {
        "dag_id": "entra_logs",
        "dag_run_id": "run 1",
        "partition_key": "2026-11-22",
        "run_after": "2026-11-23T06:00:00Z",
        "queued_at": "2026-11-23T06:00:01Z",
        "state": "running",
        "conf": {},
    }
    asyncio.run(run_is_late(context={"dag_run": run, "deadline": {"deadline_time": "2026-11-23 12:00:01+00:00"}}))
    (mail,) = cloud.mailbox.all()
    assert "LATE entra_logs 2026-11-22" in mail["subject"]
    for said in ("had to be done by 2026-11-23 12:00:01", "is running", "leaves retention", "Admin → Pools"):
        assert said in mail["text"]
