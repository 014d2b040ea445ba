"""What the tasks of a large day hold in memory inside a real Airflow: `python -m benchmarks.airflow_memory`.

A scheduler with its local executor, DAG processor, triggerer and API server run the daily DAG for one day of a
simulated tenant whose Graph does not throttle. Each task is a process that Airflow forks for it; its largest resident
size is read from /proc while it lives, Airflow's own part included.
"""

from __future__ import annotations

import shutil
import socket
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import yaml

from benchmarks.report import Options, Report, Table, main
from entra_lake.settings import include_folder
from sandbox.environment import environment
from sandbox.local.airflow_home import run_airflow
from sandbox.local.processes import Processes
from sandbox.local.web_ui import environment_of, is_healthy, start_airflow

SIGN_INS, FULL_SIGN_INS = 100_000, 200_000
#: What a task may hold, Airflow included.
MOST_MIB = 500
DAG, RUN = "entra_logs", "large"
#: What Airflow calls the process of a task; the instance's id follows.
_TITLE = "airflow worker -- "
_POLL_SECONDS = 0.05
_LONGEST_SECONDS = 3_600.0
_UNLIMITED = 10_000
_FRIDAY = 5
_UUID_PARTS = 5

Peaks = dict[str, float]


def run(options: Options) -> Report:
    """Run the daily DAG for one large day."""
    count = options.records or (FULL_SIGN_INS if options.full else SIGN_INS)
    with tempfile.TemporaryDirectory() as name:
        peaks = measure(Path(name), count)
    largest = max(peaks.values())
    return Report(
        name="airflow_memory",
        question="How much memory does each task of a large day hold inside Airflow?",
        tables=[
            Table(
                title=f"Tasks of a day of about {count:,} sign-ins",
                head=("task", "peak MiB"),
                rows=[(task, f"{peak:,.0f}") for task, peak in sorted(peaks.items(), key=lambda item: -item[1])],
                note="A process each, as Airflow's local executor forks it; what Airflow itself loads is counted.",
            )
        ],
        claims={
            f"no task of a day of {count:,} sign-ins holds more than {MOST_MIB} MiB ({largest:,.0f})": largest
            <= MOST_MIB
        },
    )


def measure(folder: Path, sign_ins: int) -> Peaks:
    """Run the DAG; return each task's largest resident size in MiB.

    :raises RuntimeError: when the run fails, or a part of Airflow stops.
    """
    with Processes(folder / "logs") as processes:
        processes.start_sandbox(folder / "cloud", "--unthrottled", "--sign-ins-per-day", str(sign_ins))
        settings = environment(folder / "cloud")
        port = _free_port()
        env = {**environment_of(folder, settings, port), "ENTRA_LAKE_INCLUDE": str(_unlimited(folder / "include"))}
        start_airflow(processes, folder, env, settings, port)
        _wait(lambda: is_healthy(port), processes)
        day = _last_weekday(datetime.now(UTC).date() - timedelta(days=2))
        log = folder / "logs" / "trigger.log"
        conf = f'{{"day": "{day}"}}'
        run_airflow(env, log, ("dags", "unpause", DAG), ("dags", "trigger", DAG, "--run-id", RUN, "--conf", conf))
        return _watch(folder / "airflow" / "airflow.db", processes)


def _watch(database: Path, processes: Processes) -> Peaks:
    """Read the sizes of all tasks until the run is over."""
    peaks: Peaks = {}

    def is_over() -> bool:
        for instance, peak in _task_processes():
            peaks[instance] = max(peak, peaks.get(instance, 0.0))
        return _state(database) in {"success", "failed"}

    _wait(is_over, processes)
    if _state(database) != "success":
        failed = ", ".join(task for task, _, state in _tasks(database) if state == "failed")
        message = f"The run of {DAG} failed in {failed}."
        raise RuntimeError(message)
    return {task: peaks[instance] for task, instance, _ in _tasks(database) if instance in peaks}


def _task_processes() -> Iterator[tuple[str, float]]:
    """Give the id of each task instance that runs now, and the largest resident size that its process has had."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, StopIteration):  # it may end while it is looked at
            title = (folder / "cmdline").read_bytes().partition(b"\0")[0].decode(errors="replace").strip()
            instance = title.removeprefix(_TITLE)
            if len(instance) == len(title) or len(instance.split("-")) != _UUID_PARTS:
                continue
            lines = (folder / "status").read_text().splitlines()
            yield instance.replace("-", ""), int(next(line for line in lines if line[:6] == "VmHWM:").split()[1]) / 1024


def _state(database: Path) -> str:
    found = _rows(database, f"SELECT state FROM dag_run WHERE run_id = '{RUN}'")  # noqa: S608 - our own name
    return found[0][0] if found else ""


def _tasks(database: Path) -> list[tuple[str, str, str]]:
    """Return name, instance and state of the run's tasks."""
    text = f"SELECT task_id, id, state FROM task_instance WHERE run_id = '{RUN}'"  # noqa: S608 - our own name
    return [(task, str(instance).replace("-", ""), state) for task, instance, state in _rows(database, text)]


def _rows(database: Path, text: str) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        return connection.execute(text).fetchall()


def _wait(is_done: Callable[[], bool], processes: Processes) -> None:
    deadline = time.monotonic() + _LONGEST_SECONDS
    while not is_done():
        if (name := processes.first_dead()) or time.monotonic() > deadline:
            message = f"{name} has stopped by itself." if name else f"Not done after {_LONGEST_SECONDS:.0f} s."
            raise RuntimeError(message)
        time.sleep(_POLL_SECONDS)


def _unlimited(folder: Path) -> Path:
    """Copy include/ with a lake that asks Graph as often as it likes: what limits the requests holds no memory."""
    shutil.copytree(include_folder(), folder)
    lakes = yaml.safe_load((folder / "lakes.yaml").read_text())
    lakes["default"]["requests_per_10_seconds"] = _UNLIMITED
    (folder / "lakes.yaml").write_text(yaml.safe_dump(lakes))
    return folder


def _last_weekday(day: date) -> date:
    """Return the day, or the Friday before it: weekends are quiet in the simulated tenant."""
    return day - timedelta(days=max(0, day.isoweekday() - _FRIDAY))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main(run))
