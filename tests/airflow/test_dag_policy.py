"""What holds for every DAG of this repository, read from the parsed files alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow._shared.module_loading import import_string
from airflow.executors.executor_loader import ExecutorLoader

from entra_lake.alerts import run_failed, run_is_late, stream_works, task_failed
from entra_lake.retries import ErrorTreeRetryPolicy

DAGS = Path(__file__).parents[2] / "dags"
STEPS = ("extract", "transform", "load", "repair_partitions", "verify")
HEAVY = ("pandas", "pyarrow", "boto3", "msal", "requests", "numpy")


def test_the_files_parse(bag: Any) -> None:
    """No file fails to import, and none warns."""
    assert bag.import_errors == {}
    assert bag.captured_warnings == {}
    assert "entra_logs" in bag.dags


@pytest.mark.parametrize("path", sorted(DAGS.glob("*.py")), ids=lambda path: path.name)
def test_a_file_parses_in_under_a_second(path: Path) -> None:
    """Beyond Airflow itself, a DAG file loads nothing heavy and takes under a second."""
    code = f"""
import runpy, sys, time
import airflow.sdk as sdk
sdk.DAG, sdk.AsyncCallback, sdk.CronPartitionTimetable, sdk.DeadlineAlert, sdk.Param, sdk.RetryPolicy
sdk.task, sdk.task_group
before, began = set(sys.modules), time.process_time()
runpy.run_path({str(path)!r})
print(time.process_time() - began, *sorted((set(sys.modules) - before) & set({HEAVY!r})))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, *modules = done.stdout.split("\n")[-2].split()
    assert float(seconds) < 1
    assert not set(modules) & set(HEAVY)


def test_a_file_only_wires() -> None:
    """DAG files are short, and import nothing heavy at their top."""
    for path in DAGS.glob("*.py"):
        assert len(path.read_text().splitlines()) <= 120
        names = {
            name.split(".")[0]
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
        }
        assert not names & set(HEAVY)


def test_every_dag_survives_the_database(bag: Any) -> None:
    """The scheduler works on a copy that went through JSON: retry policy, deadline and parameters must survive."""
    from airflow.serialization.serialized_objects import DagSerialization  # noqa: PLC0415 - takes seconds

    for dag in bag.dags.values():
        copy = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
        assert set(copy.task_dict) == set(dag.task_dict)
        assert copy.has_on_failure_callback
        assert all(task.has_retry_policy and task.has_on_failure_callback for task in copy.task_dict.values())


def test_every_task_retries_alerts_and_ends(bag: Any) -> None:
    """A task without retries, time limit or alert would fail in silence or hang for ever."""
    for dag in bag.dags.values():
        assert dag.on_failure_callback == run_failed
        assert dag.doc_md
        assert "entra-lake" in dag.tags
        for task in dag.tasks:
            assert task.retries >= 3, task.task_id
            assert isinstance(task.retry_policy, ErrorTreeRetryPolicy), task.task_id
            assert timedelta(0) < task.execution_timeout <= timedelta(hours=4), task.task_id
            assert task_failed in task.on_failure_callback, task.task_id


def test_the_daily_dag_is_what_the_documents_say(bag: Any) -> None:
    """Task ids, their order, the timetable and the deadline are documented, and other code relies on them."""
    dag = bag.dags["entra_logs"]
    streams = ("sign_ins", "directory_audits")
    assert set(dag.task_dict) == {
        "prepare",
        "detect",
        "finish",
        *(f"{stream}.{step}" for stream in streams for step in STEPS),
    }
    for stream in streams:
        for first, second in zip(("prepare", *STEPS), STEPS, strict=False):
            upstream = first if first == "prepare" else f"{stream}.{first}"
            assert upstream in dag.task_dict[f"{stream}.{second}"].upstream_task_ids
        assert stream_works in dag.task_dict[f"{stream}.verify"].on_success_callback
        for behind in ("detect", "finish"):
            assert f"{stream}.verify" in dag.task_dict[behind].upstream_task_ids
    assert dag.catchup is False
    (alert,) = dag.deadline if isinstance(dag.deadline, list) else [dag.deadline]
    assert alert.callback.path == f"{run_is_late.__module__}.{run_is_late.__qualname__}"


def test_the_scheduler_gives_each_run_the_day_before(bag: Any) -> None:
    """The run of 2026-11-23 06:00 has the partition key 2026-11-22."""
    from airflow.serialization.encoders import coerce_to_core_timetable  # noqa: PLC0415 - takes seconds
    from airflow.timetables.base import TimeRestriction  # noqa: PLC0415 - takes seconds

    timetable = coerce_to_core_timetable(bag.dags["entra_logs"].timetable)
    restriction = TimeRestriction(datetime(2026, 11, 23, 5, tzinfo=UTC), None, catchup=True)
    info = timetable.next_dagrun_info_v2(last_dagrun_info=None, restriction=restriction)
    assert info is not None
    assert info.partition_key == "2026-11-22"
    assert info.run_after == datetime(2026, 11, 23, 6, tzinfo=UTC)


@pytest.mark.parametrize("name", ["LocalExecutor", "CeleryExecutor"])
def test_the_executors_of_the_stack_can_be_loaded(name: str) -> None:
    """The versions of the lock fit each other: for what the profile `celery` needs, and for what runs without."""
    assert import_string(ExecutorLoader.executors[name]).__name__ == name
