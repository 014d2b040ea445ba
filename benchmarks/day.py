"""What a day costs, step by step: `python benchmarks/day.py --records 100000 --rounds 3`.

Each round starts a simulated cloud of its own and takes one day of sign-ins from Graph to its manifest, then reads
the day again without news. Every step runs in a process of its own, so that its peak memory is its own. The simulated
Graph does not throttle here: with Graph's limit of 500 records a second, extract takes at least records / 500 seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from entra_lake.connections import read_connection
from entra_lake.extract import extract
from entra_lake.lake import Lake, open_lake
from entra_lake.load import Staged, load, transform
from entra_lake.report import text_table
from entra_lake.settings import read_lake
from entra_lake.streams import STREAMS
from entra_lake.tables import prepare, repair_partitions
from entra_lake.verify import verify
from sandbox.environment import environment
from sandbox.local.processes import Processes

SIGN_INS = STREAMS["sign_ins"]
STEPS = ("prepare", "extract", "transform", "load", "repair_partitions", "verify", "extract again", "transform again")
UNLIMITED = 10_000


def main() -> int:
    """Run the rounds, or one step of one; print the medians."""
    options = _parser().parse_args()
    if options.step:
        print(json.dumps(run_step(options.step)))
        return 0
    rounds = [run_round(options.records) for _ in range(options.rounds)]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{machine}, {date.today()}")
    print(
        f"One day of {rounds[0]['extract']['records']:,.0f} sign-ins; medians of {options.rounds} rounds [min-max].\n"
    )
    rows = [(step, *(_cell(rounds, step, name) for name in ("wall_s", "cpu_s", "peak_mib"))) for step in STEPS]
    print(text_table(("step", "wall s", "CPU s", "peak MiB"), rows))
    return 0


def run_round(records: int) -> dict[str, dict[str, float]]:
    """Take one day through all steps in a fresh cloud; return what each cost."""
    with tempfile.TemporaryDirectory() as folder, Processes(Path(folder) / "logs") as processes:
        cloud = Path(folder) / "cloud"
        processes.start_sandbox(cloud, "--unthrottled", "--sign-ins-per-day", str(records))
        env = {**os.environ, **environment(cloud)}
        results = {}
        for step in STEPS:
            command = [sys.executable, __file__, "--step", step]
            done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
            results[step] = json.loads(done.stdout.splitlines()[-1])
        return results


def run_step(step: str) -> dict[str, float]:
    """Run one step in this process; return seconds, CPU seconds, peak MiB and records."""
    lake = open_lake(replace(read_lake(), requests_per_10_seconds=UNLIMITED), get_connection=read_connection)
    weekday = _last_weekday(lake.clock.now().date() - timedelta(days=2))
    wall, cpu = time.monotonic(), time.process_time()
    result = _steps(lake, weekday)[step]()
    counted = {"wall_s": time.monotonic() - wall, "cpu_s": time.process_time() - cpu}
    return {**counted, "peak_mib": peak_mib(), "records": float(getattr(result, "total", lambda _: 0)("listed"))}


def _last_weekday(day: date) -> date:
    """Return the day, or the Friday before it: weekends are quiet in the simulated tenant."""
    return day - timedelta(days=max(0, day.isoweekday() - 5))


def peak_mib() -> float:
    """Return the largest resident size that this process has had, in MiB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def _steps(lake: Lake, day: date) -> dict[str, Callable[[], Any]]:
    return {
        "prepare": lambda: prepare(lake),
        "extract": lambda: extract(lake, SIGN_INS, day, "first"),
        "transform": lambda: transform(lake, SIGN_INS, day),
        "load": lambda: load(lake, SIGN_INS, day, _staged(lake, day)),
        "repair_partitions": lambda: repair_partitions(lake, SIGN_INS, day),
        "verify": lambda: verify(lake, SIGN_INS, day),
        "extract again": lambda: extract(lake, SIGN_INS, day, "second"),
        "transform again": lambda: transform(lake, SIGN_INS, day),
    }


def _staged(lake: Lake, day: date) -> Staged:
    found = next(iter(lake.store.list(f"staging/{SIGN_INS.name}/dt={day}/")))
    return Staged(etag=None, rows=0, ids=0, sha256=Path(found.key).stem, size=found.size)


def _cell(rounds: list[dict[str, dict[str, float]]], step: str, name: str) -> str:
    values = [item[step][name] for item in rounds]
    return f"{statistics.median(values):.1f} [{min(values):.1f}-{max(values):.1f}]"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000, help="sign-ins on a working day (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
