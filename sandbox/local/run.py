"""`make run`: one day's way from a simulated Microsoft Graph through Airflow to an answered query."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from entra_lake.connections import read_connection
from entra_lake.errors import EntraLakeError
from entra_lake.extract import read_manifest
from entra_lake.lake import Lake, open_lake
from entra_lake.report import HEADER, manifest_cells, text_table
from entra_lake.slices import ONE_DAY, parse_day
from entra_lake.sql import render
from sandbox.environment import environment
from sandbox.local.airflow_home import airflow_environment
from sandbox.local.processes import Processes

#: A progress line of extract in the run's log.
_PROGRESS = re.compile(r"[a-z_]+ \d{4}-\d\d-\d\d \S+ page \d+ · .*? s throttled( · about \d+ s left)?")


def main() -> int:
    """Run the day and print what became of it; return 0 when it is verified, else 1 with the reason."""
    options = _parser().parse_args()
    folder: Path = options.folder.resolve()
    began = time.monotonic()
    print("SIMULATED: a made-up tenant and a made-up cloud on this machine. No account is used, nothing leaves it.")
    with Processes(folder / "logs") as processes:
        try:
            settings = processes.start_sandbox(folder / "cloud", *_seed(options))
            env = airflow_environment(folder / "airflow", environment(folder / "cloud"))
            os.environ.update({name: env[name] for name in env if name.startswith("ENTRA_LAKE")})
            lake = open_lake(get_connection=lambda conn_id: read_connection(conn_id, env))
            day = parse_day(options.day) if options.day else lake.clock.now().date() - ONE_DAY
            print(f"Tenant: {settings['tenant_name']}. Day: {day} (UTC). Logs: {_shown(folder / 'logs')}\n")
            (folder / "airflow").mkdir(parents=True, exist_ok=True)
            run_dag(env, day, folder / "logs" / "run.log")
            _report(lake, day)
        except (EntraLakeError, RuntimeError) as error:
            print(f"\nFAILED: {error}", file=sys.stderr)
            return 1
    print(f"\nDone in {time.monotonic() - began:.0f} s. Everything was SIMULATED.")
    print("Next: `make up` opens all of it in Airflow's web UI. Your own tenant: docs/connections.md.")
    return 0


def run_dag(env: Mapping[str, str], day: date, log: Path) -> None:
    """Run the DAG for one day in one process, and show its progress.

    :raises RuntimeError: naming the error of the task that failed.
    """
    command = [sys.executable, "-m", "sandbox.local.one_run", str(day)]
    reason = ""
    with (
        log.open("w") as file,
        subprocess.Popen(
            command, env=dict(env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        ) as process,
    ):
        for line in process.stdout or ():
            file.write(line)
            reason = _reason(line) or reason
            if progress := _PROGRESS.search(line):
                print(f"  {progress[0]}", flush=True)
    if process.returncode:
        message = f"{reason or 'The DAG run failed.'} Its log: {_shown(log)}"
        raise RuntimeError(message)


def _reason(line: str) -> str:
    start = line.find("[EL")
    return line[start:].strip() if start >= 0 else ""


def _report(lake: Lake, day: date) -> None:
    found = [read_manifest(lake, stream, day) for stream in lake.streams]
    manifests = [item[0] for item in found if item]
    if len(manifests) < len(lake.streams):
        message = f"Only {len(manifests)} of {len(lake.streams)} streams have a manifest for {day}."
        raise RuntimeError(message)
    print("\n" + text_table(HEADER, [manifest_cells(manifest) for manifest in manifests]))
    names = {"database": lake.settings.database, "first_day": day, "last_day": day}
    answer = lake.athena.run(render("dashboards/failed_sign_ins_by_country.sql", **names))
    print("\nFailed sign-ins by country (include/sql/dashboards/failed_sign_ins_by_country.sql), asked in Athena:\n")
    rows = [tuple(str(value) for value in row.values()) for row in answer.rows]
    print(text_table(tuple(name for name in answer.rows[0]), rows) if rows else "(none)")


def _seed(options: argparse.Namespace) -> tuple[str, ...]:
    return ("--seed", str(options.seed)) if options.seed is not None else ()


def _shown(path: Path) -> str:
    return os.path.relpath(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--day", help="YYYY-MM-DD; yesterday without it")
    parser.add_argument("--seed", type=int, help="another tenant (only in a new folder)")
    parser.add_argument("--folder", type=Path, default=Path(".run"), help="where everything is kept (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
