"""An Airflow and a simulated cloud for all tests of this folder; the home is set before Airflow is imported."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cloud_connections import LOGGED, REPOSITORY, make_include

from sandbox.environment import environment
from sandbox.serve import Sandbox

HOME = Path(tempfile.mkdtemp(prefix="entra-lake-airflow-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
os.environ.update(
    AIRFLOW_HOME=str(HOME),
    ENTRA_LAKE_INCLUDE=str(make_include(HOME / "include")),
    AIRFLOW__CORE__DAGS_FOLDER=str(REPOSITORY / "dags"),
    AIRFLOW__CORE__PLUGINS_FOLDER=str(REPOSITORY / "plugins"),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__UNIT_TEST_MODE="True",
    AIRFLOW__API__BASE_URL="http://airflow.example",
)

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder, so that `make quick` leaves it out."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.airflow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Keep what a test has logged and printed, for those that look through it."""
    report = yield
    if report.when == "call":
        item.stash[LOGGED] = report.capstdout + report.capstderr + report.caplog
    return report


@pytest.fixture(scope="session")
def bag() -> Any:
    """Parse the DAG files as the DAG processor does."""
    from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415 - after the environment

    return DagBag(str(REPOSITORY / "dags"))


@pytest.fixture(scope="session")
def database() -> None:
    """Make Airflow's database, once."""
    from airflow.utils.db import initdb  # noqa: PLC0415 - after the environment

    initdb()


@pytest.fixture(scope="session", name="running_cloud")
def start_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Start one tenant and cloud for all tests."""
    folder = tmp_path_factory.mktemp("cloud")
    with Sandbox(folder, seed=7, now=NOW, sign_ins_per_day=60, throttled=False) as running:
        yield running


@pytest.fixture
def cloud(running_cloud: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Empty the cloud, and let Airflow's connections lead to it."""
    running_cloud.control.reset({"aws": True})
    for name, value in environment(running_cloud.state.folder).items():
        monkeypatch.setenv(name, value)
    return running_cloud


@pytest.fixture
def run_dag(bag: Any, database: None, cloud: Sandbox) -> Callable[..., dict[str, str]]:
    """Return a function that runs the daily DAG in this process and tells the state of the run and its tasks."""

    def run(day: str = "2026-11-22", **options: Any) -> dict[str, str]:
        done = bag.dags["entra_logs"].test(run_conf={"day": day}, **options)
        return {"run": str(done.state), **{ti.task_id: str(ti.state) for ti in done.get_task_instances()}}

    return run
