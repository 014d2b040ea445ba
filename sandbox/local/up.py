"""`make up`: Airflow's web UI on this machine, beside a simulated cloud whose last 28 days are in the lake already."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import requests

from entra_lake.collect import collect
from entra_lake.connections import read_connection
from entra_lake.digest import tell
from entra_lake.errors import EntraLakeError
from entra_lake.examine import examine
from entra_lake.extract import read_manifest
from entra_lake.lake import Lake, open_lake
from entra_lake.settings import read_lake
from entra_lake.slices import ONE_DAY
from sandbox.environment import environment
from sandbox.local.processes import Processes
from sandbox.local.web_ui import HOST, environment_of, is_healthy, keys_of, start_airflow

DAYS = 28
#: Detections look at so many of them; the hourly DAG at the others, when it is no longer paused.
DETECTED_DAYS = 3
#: Which day before today is left out besides yesterday, for the user to fill by hand.
OLDER_DAY = 9
#: The simulated Graph answers the first filling without its limit; it would take four minutes with it.
UNLIMITED = 10_000
DOCUMENTED_THROTTLE = {"throttle": {"limit": 5, "seconds": 10, "kind": "sliding"}}
_LONGEST_START_SECONDS = 180.0
_interrupted = threading.Event()


def main() -> int:
    """Start everything, say where to look, and run until Ctrl-C; return 0, or 1 with the reason."""
    options = _parser().parse_args()
    folder: Path = options.folder.resolve()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _interrupt)
    print("SIMULATED: a made-up tenant and a made-up cloud on this machine. No account is used, nothing leaves it.")
    with Processes(folder / "logs") as processes:
        try:
            _start(processes, folder, options)
            _watch(processes)
        except KeyboardInterrupt:
            print("\nStopping ...")
        except (EntraLakeError, RuntimeError, requests.RequestException) as error:
            print(f"\nFAILED: {error}\nLogs: {os.path.relpath(folder / 'logs')}", file=sys.stderr)
            return 1
    return 0


def _start(processes: Processes, folder: Path, options: argparse.Namespace) -> None:
    began, port, days, detected_days = time.monotonic(), options.port, options.days, options.detected_days
    volume = ["--sign-ins-per-day", str(options.sign_ins_per_day)] if options.sign_ins_per_day else []
    cloud = processes.start_sandbox(folder / "cloud", "--unthrottled", *volume)
    settings = environment(folder / "cloud")
    env = environment_of(folder, settings, port)
    os.environ.update({name: env[name] for name in settings if name.startswith("ENTRA_LAKE")})
    lake = open_lake(
        replace(read_lake(), requests_per_10_seconds=UNLIMITED),
        get_connection=lambda conn_id: read_connection(conn_id, settings),
    )
    filling = _Thread(lambda: _fill(lake, days, min(days, detected_days), settings, f"http://{HOST}:{port}"))
    start_airflow(processes, folder, env, settings, port)
    filling.finish()
    requests.post(f"{cloud['control_url']}/faults", json=DOCUMENTED_THROTTLE, timeout=10).raise_for_status()
    _wait_until_healthy(processes, port)
    _say(cloud, folder, port, missing_days(lake, days), time.monotonic() - began)


def left_out(lake: Lake, days: int) -> tuple[date, date]:
    """Return the two days that are not filled: an older one, and yesterday."""
    today = lake.clock.now().date()
    return today - ONE_DAY * min(OLDER_DAY, days), today - ONE_DAY


def missing_days(lake: Lake, days: int) -> list[date]:
    """Return which of the last days are not in the lake, the oldest first."""
    return [day for day in reversed(_last_days(lake, days)) if not _is_complete(lake, day)]


def _last_days(lake: Lake, days: int) -> list[date]:
    return [lake.clock.now().date() - ONE_DAY * age for age in range(1, days + 1)]


def fill(lake: Lake, days: int) -> None:
    """Bring the last days into the lake by the library alone, without Airflow.

    :raises EntraLakeError: when a day fails.
    """
    wanted = [day for day in missing_days(lake, days) if day not in left_out(lake, days)]
    for number, outcome in enumerate(collect(lake, wanted, "make-up"), start=1):
        if outcome.error:
            raise outcome.error
        share = f"{number} of {len(wanted) * len(lake.streams)}"
        print(f"\r  filling the lake without Airflow: {share}, {outcome.day}   ", end="", flush=True)
    print()


def _fill(lake: Lake, days: int, detected_days: int, settings: Mapping[str, str], base_url: str) -> None:
    """Fill the lake, and let detections look at its last days: what they find is one mail."""
    fill(lake, days)
    print(f"  running the detections of {detected_days} days ...", flush=True)
    done = examine(lake, _last_days(lake, detected_days))
    if error := done.error():
        raise error
    tell(lake, lambda conn_id: read_connection(conn_id, settings), base_url=base_url, settle=True)


def _is_complete(lake: Lake, day: date) -> bool:
    return all(read_manifest(lake, stream, day) for stream in lake.streams)


def _wait_until_healthy(processes: Processes, port: int) -> None:
    deadline = time.monotonic() + _LONGEST_START_SECONDS
    print("  starting Airflow ...", flush=True)
    while time.monotonic() < deadline:
        _refuse_dead(processes)
        if is_healthy(port):
            return
        time.sleep(0.5)
    message = f"Airflow is not healthy after {_LONGEST_START_SECONDS:.0f} s."
    raise RuntimeError(message)


def _say(cloud: Mapping[str, Any], folder: Path, port: int, missing: list[date], seconds: float) -> None:
    password = keys_of(folder / "airflow")["password"]
    print(f"\nReady after {seconds:.0f} s. SIMULATED tenant: {cloud['tenant_name']}. Ctrl-C stops everything.\n")
    print(f"  1. http://{HOST}:{port} · user admin, password {password} · open the DAG entra_logs.")
    print(f"  2. {_what_is_missing(missing)}")
    print(f"  3. Mails, the first about what detections have found: {cloud['mail_url']}")
    print("  4. Who hacked whom? Follow docs/tour.md.")


def _what_is_missing(days: list[date]) -> str:
    if not days:
        return "All days are in the lake. Trigger takes one again; `make clean` forgets them all."
    return (
        f"Not in the lake yet: {', '.join(map(str, days))}. Press Trigger and choose {days[0]} as the day;\n"
        "     yesterday's own run starts when the DAG is no longer paused. For a range: Trigger, then Backfill."
    )


def _watch(processes: Processes) -> None:
    while True:
        _refuse_dead(processes)
        time.sleep(1.0)


def _refuse_dead(processes: Processes) -> None:
    if _interrupted.is_set():
        raise KeyboardInterrupt
    if name := processes.first_dead():
        message = f"{name} has stopped by itself; see its log, {name}.log."
        raise RuntimeError(message)


def _interrupt(_number: int, _frame: object) -> None:
    _interrupted.set()  # what is raised here may be lost: Python swallows it where an object is being finalized
    raise KeyboardInterrupt


class _Thread(threading.Thread):
    """A thread whose error reaches whoever waits for it."""

    def __init__(self, work: Any) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        """Do the work."""
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - raised again by finish()
            self._error = error

    def finish(self) -> None:
        """Wait for the end; raise what the work raised."""
        self.join()
        if self._error:
            raise self._error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make up", description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="of the web UI (%(default)s)")
    parser.add_argument("--days", type=int, default=DAYS, help="how many simulated days to fill (%(default)s)")
    parser.add_argument(
        "--detected-days", type=int, default=DETECTED_DAYS, help="of how many to run the detections (%(default)s)"
    )
    parser.add_argument("--sign-ins-per-day", type=int, help="of the simulated tenant; a family's without it")
    parser.add_argument("--folder", type=Path, default=Path(".up"), help="where everything is kept (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
