"""The hourly DAG, whole, in this process, against the simulated cloud."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from entra_lake.hooks.lake import open_airflow_lake
from entra_lake.layout import manifest_key
from entra_lake.streams import STREAMS
from sandbox.serve import Sandbox

STEPS = ("extract", "transform", "load", "repair_partitions", "verify")
Reconcile = Callable[..., dict[str, Any]]


@pytest.fixture
def reconcile(bag: Any, database: None, cloud: Sandbox) -> Reconcile:
    """Return a function that runs the DAG and tells the states: of the run, and by label those of the steps."""

    def run(**conf: Any) -> dict[str, Any]:
        # Airflow puts what is given into the parsed DAG itself: the next run in this process would find it there.
        given = {"days": [], "from": None, "to": None, "streams": [], **conf}
        done = bag.dags["entra_reconcile"].test(run_conf=given)
        found: dict[str, Any] = {"run": str(done.state)}
        for ti in done.get_task_instances():
            steps = found.setdefault(ti.rendered_map_index or "", {})
            steps[ti.task_id.rpartition(".")[2]] = str(ti.state)
        return found

    return run


def has_manifest(stream: str, day: str) -> bool:
    """Tell whether the day is acknowledged."""
    return open_airflow_lake("default").store.look(manifest_key(STREAMS[stream], date.fromisoformat(day))) is not None


def test_chosen_days_are_read_and_a_failure_stops_no_other(reconcile: Reconcile, cloud: Sandbox) -> None:
    """Each day of a stream is a group of tasks with a name; the mail about one that fails names stream and day."""
    faults = [{"kind": "missing_permission", "stream": "sign_ins", "times": "always"}]
    cloud.control.set_faults({"faults": faults})
    states = reconcile(days=["2026-11-21"])
    cloud.control.set_faults({"faults": []})
    assert states["run"] == "failed"
    assert states["sign_ins 2026-11-21 (by hand)"] == {"extract": "failed"}
    assert states["directory_audits 2026-11-21 (by hand)"] == dict.fromkeys(STEPS, "success")
    assert has_manifest("directory_audits", "2026-11-21")
    (mail,) = cloud.mailbox.all()
    assert "FAILED sign_ins 2026-11-21 · a Graph permission is missing" in mail["subject"]
    conf = '{"days": ["2026-11-21"], "streams": ["sign_ins"]}'
    assert f"airflow dags trigger entra_reconcile --conf '{conf}'" in mail["text"]


def test_a_run_with_nothing_due_is_green_and_short(reconcile: Reconcile, cloud: Sandbox) -> None:
    """The mapped tasks are skipped, nobody is mailed, nothing is asked of Graph."""
    assert open_airflow_lake("default").store.create("lake.json", _lake_json("2026-11-22"))
    assert reconcile(days=["2026-11-22"])["run"] == "success"
    asked, mails = len(cloud.tenant.graph.requests), cloud.mailbox.all()
    assert all("BASELINE" in mail["subject"] for mail in mails)
    states = reconcile()
    assert states == {
        "run": "success",
        "": {
            "find_due": "success",
            "watch": "success",
            "detect": "success",
            "finish": "success",
            **dict.fromkeys(STEPS, "skipped"),
        },
    }
    assert cloud.mailbox.all() == mails
    assert len(cloud.tenant.graph.requests) == asked


def _lake_json(collect_from: str) -> bytes:
    tenant = open_airflow_lake("default").tenant_id
    return f'{{"format": 1, "tenant_id": "{tenant}", "collect_from": "{collect_from}"}}'.encode()
