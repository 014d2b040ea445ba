"""An Airflow of one's own on this machine: a folder, a SQLite database, and the environment to find both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
#: Airflow's command that makes or upgrades its database.
MIGRATE = ("db", "migrate")


def airflow_environment(home: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which `airflow` uses this home and this repository's dags/ and plugins/.

    :param settings: what `python -m sandbox env` prints.
    """
    paths = [str(REPOSITORY / "plugins"), str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONWARNINGS": "ignore",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__CORE__PARALLELISM": "8",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        **settings,
    }


def airflow(*arguments: str) -> list[str]:
    """Return the command line of Airflow in this environment's Python."""
    return [str(Path(sys.executable).with_name("airflow")), *arguments]


def migrate(home: Path, env: Mapping[str, str], log: Path) -> None:
    """Make or upgrade Airflow's database.

    :raises RuntimeError: when that fails.
    """
    home.mkdir(parents=True, exist_ok=True)
    run_airflow(env, log, MIGRATE)


def run_airflow(env: Mapping[str, str], log: Path, *commands: Sequence[str]) -> None:
    """Run Airflow's commands to their end, in one process; what they print goes to the log.

    :raises RuntimeError: when one fails.
    """
    every = [sys.executable, "-m", "sandbox.local.airflow_commands", json.dumps(commands)]
    with log.open("ab") as file:
        done = subprocess.run(every, env=dict(env), stdout=file, stderr=file, check=False)
    if done.returncode:
        named = ", ".join(f"`airflow {' '.join(command)}`" for command in commands)
        message = f"{named} failed; see {log}."
        raise RuntimeError(message)
