"""The daily DAG, whole, in this process, against the simulated cloud."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from cloud_connections import LOGGED, change_connection, make_include
from sqlalchemy import select

from entra_lake.detections import Detection, read_detections
from entra_lake.examinations import read_examination
from entra_lake.hooks.lake import open_airflow_lake
from entra_lake.lake import claim_lake
from entra_lake.layout import lake_key, manifest_key
from entra_lake.settings import include_folder
from entra_lake.streams import STREAMS
from sandbox.serve import Sandbox

DAY = date(2026, 11, 22)
RunDag = Callable[..., dict[str, str]]
#: What must be in no log and no mail: tokens, and the queries of next links.
SECRETS = re.compile(r"eyJ[\w-]{10,}|skiptoken=", re.IGNORECASE)


@pytest.fixture(autouse=True)
def no_secret_is_logged(cloud: Sandbox, request: pytest.FixtureRequest) -> Iterator[None]:
    """Look through everything that a test has logged and mailed."""
    yield
    logged = request.node.stash[LOGGED]
    assert "[DAG TEST]" in logged, "the logs were not seen"
    for text in (logged, *(str(mail) for mail in cloud.mailbox.all())):
        assert not SECRETS.search(text)
        assert cloud.state.client_secret not in text
        assert "wrong-secret-value" not in text


def contents() -> dict[str, tuple[str | None, int]]:
    """Return hash and rows of each object of the day."""
    lake = open_airflow_lake("default")
    found = {}
    for stream in STREAMS.values():
        thing = lake.store.look(lake_key(stream, DAY))
        assert thing, "the day has no object"
        assert lake.store.look(manifest_key(stream, DAY)), "the day has no manifest"
        rows = lake.athena.run(f"SELECT count(*) AS n FROM entra_lake.{stream.name}").rows
        found[stream.name] = (thing.sha256, int(rows[0]["n"] or 0))
    return found


def handed_over() -> dict[str, str]:
    """Return each value that tasks have handed to others through Airflow's database, as text."""
    with create_session() as session:
        rows = session.execute(select(XComModel.task_id, XComModel.key, XComModel.value)).all()
    return {f"{task} {key}": str(value) for task, key, value in rows}


@pytest.mark.fault(42, 54, 56)
def test_a_day_travels_and_a_second_run_changes_nothing(run_dag: RunDag, cloud: Sandbox) -> None:
    """Green, counted by Athena, without a mail; the same bytes the second time; keys and counts between the tasks."""
    assert set(run_dag().values()) == {"success"}
    first = contents()
    assert first["sign_ins"][1] > 0
    assert set(run_dag().values()) == {"success"}
    assert contents() == first
    assert cloud.mailbox.all() == []
    values = handed_over()
    assert any(name.startswith("sign_ins.load") for name in values)
    assert {name for name, value in values.items() if len(value) > 2_000 or "@" in value} == set()


@pytest.mark.fault(50, 52)
def test_without_the_repair_task_the_run_is_red(run_dag: RunDag, cloud: Sandbox) -> None:
    """An unregistered partition is found out by verify: no manifest, and a mail for each stream."""
    states = run_dag(mark_success_pattern=r".*\.repair_partitions")
    assert states["run"] == "failed"
    assert states["sign_ins.load"] == "success"
    assert states["sign_ins.verify"] == states["directory_audits.verify"] == "failed"
    lake = open_airflow_lake("default")
    assert lake.store.look(manifest_key(STREAMS["sign_ins"], DAY)) is None
    subjects = sorted(mail["subject"] for mail in cloud.mailbox.all())
    assert len(subjects) == 2
    assert "FAILED directory_audits 2026-11-22 · Athena counts other rows than were loaded" in subjects[0]


def test_a_refused_login_is_one_mail_and_its_end_another(
    run_dag: RunDag, cloud: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both streams meet the wrong secret, one mail says so; when the day works, one mail says that."""
    claim_lake(open_airflow_lake("default"))
    change_connection(monkeypatch, cloud, password="wrong-secret-value")
    states = run_dag()
    assert states["run"] == states["sign_ins.extract"] == states["directory_audits.extract"] == "failed"
    (mail,) = cloud.mailbox.all()
    for said in ("EL202", "AADSTS7000215", "2026-11-22", "graph_default", "until somebody acts", "/runs/"):
        assert said in mail["text"]
    change_connection(monkeypatch, cloud)
    assert set(run_dag().values()) == {"success"}
    _, recovered = cloud.mailbox.all()
    assert "RECOVERED" in recovered["subject"]
    assert "2026-11-22: " in recovered["text"]


@pytest.mark.fault(13)
@pytest.mark.defect("D2")
def test_a_stream_that_fails_does_not_stop_the_other(run_dag: RunDag, cloud: Sandbox) -> None:
    """A missing permission fails at once and says whom to ask; the other stream goes its way."""
    faults = [{"kind": "missing_permission", "stream": "sign_ins", "times": "always"}]
    cloud.control.set_faults({"faults": faults})
    states = run_dag()
    assert states["sign_ins.extract"] == "failed"
    assert states["directory_audits.verify"] == states["detect"] == "success"
    assert {rule.streams for rule in rules_run()} == {("directory_audits",)}
    (mail,) = cloud.mailbox.all()
    assert "FAILED sign_ins 2026-11-22 · a Graph permission is missing" in mail["subject"]
    for said in ("AuditLog.Read.All", "consent as an administrator", "all streams that need", "Request-id"):
        assert said in mail["text"]


def rules_run() -> list[Detection]:
    """Return the shipped rules that have run for the day."""
    known = read_detections(include_folder() / "sql" / "detections")
    done = read_examination(open_airflow_lake("default").store, DAY)
    return [rule for rule in known if rule.id in done.rules]


def test_a_broken_rule_stops_no_other_and_no_acknowledgement(
    run_dag: RunDag, cloud: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The day is verified and the other rules speak; one mail names the rule, and another says when it works."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "broken.sql").write_text("SELECT nothing")
    include = make_include(tmp_path / "include", own_rules=tmp_path / "own")
    monkeypatch.setenv("ENTRA_LAKE_INCLUDE", str(include))
    states = run_dag()
    assert {task for task, state in states.items() if state != "success"} == {"run", "detect", "finish"}
    assert contents()
    assert rules_run()
    (mail,) = cloud.mailbox.all()
    assert "FAILED detections 2026-11-22 · a detection could not be run · no record is at risk" in mail["subject"]
    for said in ("EL215", "broken.sql has no front matter", "All others were run", "next hourly run makes up"):
        assert said in mail["text"]
    (tmp_path / "own" / "broken.sql").unlink()
    assert set(run_dag().values()) == {"success"}
    _, recovered = cloud.mailbox.all()
    assert "RECOVERED detections · a detection could not be run" in recovered["subject"]
    assert "2026-11-22: made up for" in recovered["text"]


@pytest.mark.parametrize(
    ("day", "code", "said"),
    [
        ("2026-11-24", "EL206", "has not begun"),
        ("2026-10-01", "EL205", "older than the 30 days"),
    ],
)
def test_a_day_that_graph_cannot_answer_for(run_dag: RunDag, cloud: Sandbox, day: str, code: str, said: str) -> None:
    """A future day and one that is too old fail in seconds, before anything is asked or written."""
    states = run_dag(day=day)
    assert states["prepare"] == "failed"
    assert states["sign_ins.extract"] == states["detect"] == "upstream_failed"
    (mail,) = cloud.mailbox.all()
    assert code in mail["text"]
    assert said in mail["text"]
    assert day in mail["subject"]
    assert not list(open_airflow_lake("default").store.list("raw/"))


def test_a_missing_bucket_is_one_mail(
    run_dag: RunDag, cloud: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Also when the bucket that should remember mails is what is missing."""
    monkeypatch.setenv("ENTRA_LAKE_INCLUDE", str(make_include(tmp_path / "include", "no-such-bucket")))
    assert run_dag()["prepare"] == "failed"
    (mail,) = cloud.mailbox.all()
    assert "'no-such-bucket' does not exist" in mail["text"]


def test_another_tenants_lake_is_refused(run_dag: RunDag, cloud: Sandbox) -> None:
    """The lake's own lake.json names its tenant; nothing of another one is written beside it."""
    lake = open_airflow_lake("default")
    lake.store.create("lake.json", b'{"format": 1, "tenant_id": "00000000-aaaa-bbbb-cccc-000000000000"}')
    assert run_dag()["prepare"] == "failed"
    (mail,) = cloud.mailbox.all()
    assert "EL207" in mail["text"]
    assert not list(lake.store.list("raw/"))
