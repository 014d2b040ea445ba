"""Run the daily DAG once in this process, without scheduler and server: `python -m sandbox.local.one_run DAY`."""

from __future__ import annotations

import sys

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import conf

from sandbox.local.airflow_commands import run_commands
from sandbox.local.airflow_home import MIGRATE

DAG_ID = "entra_logs"


def main(day: str) -> int:
    """Run the DAG for this day, in a database that is made when there is none; return 0 when the run is green."""
    run_commands([MIGRATE])
    bag = DagBag(conf.get("core", "dags_folder"))
    for path, error in bag.import_errors.items():
        print(f"{path}: {error}", file=sys.stderr)
    run = bag.dags[DAG_ID].test(run_conf={"day": day})
    return 0 if str(run.state) == "success" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
