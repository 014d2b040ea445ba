"""How long the first steps take: parsing the DAG files, and `make run` from nothing to an answered query."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import Options, Report, Table, main, spread
from sandbox.local.airflow_home import airflow_environment, migrate

REPOSITORY = Path(__file__).parents[1]
DAGS = ("entra_logs", "entra_reconcile")
#: Airflow's own advice is to keep parsing short; it gives up after 30 s.
MOST_PARSE_SECONDS = 1.0
#: Imports what every DAG file imports of Airflow, then takes the time of one DAG file, as the DAG processor does.
_PARSE = """
import runpy, sys, time
import airflow.sdk
begun = time.process_time()
runpy.run_path(sys.argv[1])
print(time.process_time() - begun)
"""


def run(options: Options) -> Report:
    """Parse each DAG file a few times, and run a day."""
    rounds = options.rounds or 3
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        env = airflow_environment(home / "airflow", {})
        migrate(home / "airflow", env, home / "migrate.log")
        parsed = {dag: [_parse(dag, env) for _ in range(rounds)] for dag in DAGS}
        wall, cpu = _run_day(home / "run")
    rows = [(f"{dag}.py", spread(seconds, 2)) for dag, seconds in parsed.items()]
    return Report(
        name="start",
        question="How long do the first steps take?",
        tables=[
            Table(
                title="Parsing the DAG files",
                head=("file", "CPU s"),
                rows=rows,
                note=f"Without the import of Airflow itself; rounds: {rounds}.",
            ),
            Table(
                title="`make run`, installed",
                head=("", "wall s", "CPU s"),
                rows=[
                    (
                        "one day, from Graph through Airflow to an answer",
                        f"{wall:.0f}",
                        f"{cpu:.0f}",
                    )
                ],
            ),
        ],
        claims={
            f"no DAG file takes more than {MOST_PARSE_SECONDS:.0f} CPU second to parse": all(
                sorted(seconds)[len(seconds) // 2] <= MOST_PARSE_SECONDS for seconds in parsed.values()
            )
        },
    )


def _parse(dag: str, env: dict[str, str]) -> float:
    command = [sys.executable, "-c", _PARSE, str(REPOSITORY / "dags" / f"{dag}.py")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def _run_day(folder: Path) -> tuple[float, float]:
    """Return the wall and CPU seconds of all processes of `make run`."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = [sys.executable, "-m", "sandbox.local.run", "--folder", str(folder)]
    subprocess.run(command, env=dict(os.environ), capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - begun, cpu


if __name__ == "__main__":
    sys.exit(main(run))
