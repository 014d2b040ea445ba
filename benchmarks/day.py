"""What a day costs, step by step: `python -m benchmarks.day`.

Each size and round starts a simulated cloud of its own and takes one day of sign-ins from Graph to its manifest, then
reads the day again without news. Every step runs in a process of its own, so that its peak memory is its own. The
simulated Graph does not throttle here: with Graph's limit of 500 records a second, extract takes at least
records / 500 seconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from benchmarks.report import Options, Report, Table, main, peak_mib, spread
from entra_lake.connections import read_connection
from entra_lake.extract import extract
from entra_lake.lake import Lake, open_lake
from entra_lake.load import Staged, load, transform
from entra_lake.settings import read_lake
from entra_lake.streams import STREAMS
from entra_lake.tables import prepare, repair_partitions
from entra_lake.verify import verify
from sandbox.environment import environment
from sandbox.local.processes import Processes

SIGN_INS = STREAMS["sign_ins"]
STEPS = ("prepare", "extract", "transform", "load", "repair_partitions", "verify", "extract again", "transform again")
UNLIMITED = 10_000
SIZES = (10_000, 100_000)
FULL_SIZES = (10_000, 100_000, 200_000, 1_000_000, 2_000_000)
#: What a step may hold in memory, as a process of its own.
MOST_MIB = 256


def run(options: Options) -> Report:
    """Take days of each size through all steps."""
    sizes = FULL_SIZES if options.full else SIZES
    rounds = options.rounds or 1
    found = {size: [run_round(size) for _ in range(rounds)] for size in sizes}
    peaks = {size: max(item[step]["peak_mib"] for item in found[size] for step in STEPS) for size in sizes}
    return Report(
        name="day",
        question="What does each step of a day take, and how much memory?",
        tables=[_table(size, rounds) for size, rounds in found.items()],
        claims={
            f"no step of a day of {size:,} sign-ins takes more than {MOST_MIB} MiB ({peak:,.0f})": peak <= MOST_MIB
            for size, peak in peaks.items()
        },
    )


def _table(size: int, rounds: list[dict[str, dict[str, float]]]) -> Table:
    rows = [(step, *(_cell(rounds, step, name) for name in ("wall_s", "cpu_s", "peak_mib"))) for step in STEPS]
    return Table(
        title=f"a working day of about {size:,} sign-ins",
        head=("step", "wall s", "CPU s", "peak MiB"),
        rows=rows,
        note=f"{rounds[0]['extract']['records']:,.0f} records; rounds: {len(rounds)}.",
    )


def run_round(records: int) -> dict[str, dict[str, float]]:
    """Take one day through all steps in a fresh cloud; return what each cost."""
    with tempfile.TemporaryDirectory() as folder, Processes(Path(folder) / "logs") as processes:
        cloud = Path(folder) / "cloud"
        processes.start_sandbox(cloud, "--unthrottled", "--sign-ins-per-day", str(records))
        env = {**os.environ, **environment(cloud)}
        results = {}
        for step in STEPS:
            command = [sys.executable, "-m", "benchmarks.day", "--step", step]
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
    return spread([item[step][name] for item in rounds])


if __name__ == "__main__":
    if "--step" in sys.argv:
        print(json.dumps(run_step(sys.argv[-1])))
        sys.exit(0)
    sys.exit(main(run))
