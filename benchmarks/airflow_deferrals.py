"""What Airflow takes for each page of its own operator: `python benchmarks/airflow_deferrals.py PAGES`, in real time.

A page is a deferral: the triggerer asks, the event goes into the database, the scheduler queues the task, a worker
starts, pushes all pages so far to XCom, and defers. This runs a real Airflow (scheduler, triggerer, API server, local
executor, SQLite) with the packages of requirements-operator.lock, and prints the seconds between pages beyond Graph's.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import requests

from benchmarks.airflow_operator import PAGE_SIZE, connect
from benchmarks.scene import DAY, Scene, sign_ins, tenant
from entra_lake.slices import Slice, filter_text
from sandbox.local.airflow_home import airflow, airflow_environment, migrate
from sandbox.local.processes import Processes

LATENCY = 1.0
_LONGEST_SECONDS = 600.0
_SECRET = "only-for-this-run-of-a-benchmark-on-this-machine"  # noqa: S105 - of a server that lives for minutes

DAG = """
from datetime import datetime, timedelta
from airflow.sdk import DAG
from airflow.providers.microsoft.azure.operators.msgraph import MSGraphAsyncOperator

with DAG("read", schedule="@once", start_date=datetime(2026, 1, 1), is_paused_upon_creation=False):
    MSGraphAsyncOperator(
        task_id="read",
        url="auditLogs/signIns",
        query_parameters={query!r},
        retries=20,
        retry_delay=timedelta(seconds=1),
    )
"""


def environment(folder: Path, port: int) -> dict[str, str]:
    """Return the environment of an Airflow of its own."""
    return {
        **airflow_environment(folder / "airflow", {}),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(folder / "plugins"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        "AIRFLOW__API__SECRET_KEY": _SECRET,
        "AIRFLOW__API_AUTH__JWT_SECRET": f"{_SECRET}-{_SECRET}",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    }


def wait_until_healthy(port: int) -> None:
    """Return when the API server answers, which the task's worker needs."""
    deadline = time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < deadline:
        with suppress(requests.RequestException):
            if requests.get(f"http://127.0.0.1:{port}/api/v2/version", timeout=5).ok:
                return
        time.sleep(0.2)


def watch(scene: Scene, pages: int) -> list[float]:
    """Return the seconds between each answer and the one before it."""
    moments: list[float] = []
    deadline = time.monotonic() + _LONGEST_SECONDS
    while len(moments) < pages and time.monotonic() < deadline:
        moments += [time.monotonic()] * (scene.answered() - len(moments))
        time.sleep(0.02)
    return [later - earlier for earlier, later in pairwise(moments)]


def measure(pages: int) -> list[float]:
    """Let the operator read so many pages in a real Airflow; return the seconds of each beyond Graph's own."""
    stream = sign_ins(page_size=PAGE_SIZE)
    query = {"$filter": filter_text(stream, Slice.of_day(DAY)), "$top": str(PAGE_SIZE)}
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as found:
        folder, port = Path(name), found.getsockname()[1]
        found.close()
        (folder / "dags").mkdir()
        (folder / "dags" / "read.py").write_text(DAG.format(query=query))
        with tenant(folder, 1000, LATENCY, is_real=True, limit=1000) as scene, Processes(folder / "logs") as running:
            connect(scene)
            env = environment(folder, port)
            migrate(folder / "airflow", env, folder / "logs" / "migrate.log")
            running.start("api-server", airflow("api-server", "--host", "127.0.0.1", "--port", str(port)), env)
            wait_until_healthy(port)
            for part in ("dag-processor", "triggerer", "scheduler"):
                running.start(part, airflow(part), env)
            return [seconds - LATENCY for seconds in watch(scene, pages)]


if __name__ == "__main__":
    os.environ.setdefault("AIRFLOW_HOME", tempfile.gettempdir())
    print(json.dumps(measure(int(sys.argv[1]))))
