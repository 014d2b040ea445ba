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
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import requests

from benchmarks.report import Options, Report, Table, main, peak_mib, spread
from entra_lake.collect import collect_day
from entra_lake.connections import read_connection
from entra_lake.extract import extract
from entra_lake.lake import Lake, open_lake
from entra_lake.layout import lake_key
from entra_lake.load import Staged, load, transform
from entra_lake.pandas_absence import leave_pandas_out
from entra_lake.rebuild import rebuild_day
from entra_lake.settings import read_lake
from entra_lake.streams import STREAMS
from entra_lake.tables import prepare, repair_partitions
from entra_lake.verify import verify
from sandbox.environment import environment
from sandbox.local.processes import Processes

SIGN_INS = STREAMS["sign_ins"]
QUIET, LATE = "read again: nothing new", "read again: 10 new records"
STEPS = ("prepare", "extract", "transform", "load", "repair_partitions", "verify", QUIET, LATE)
#: Days since the day: nothing of it is late any more.
AGE = 7
#: Records that come late.
LATE_RECORDS = 10
#: A lake that is built anew: days, and sign-ins a day.
DAYS, EACH = 28, 1_000
UNLIMITED = 10_000
_CLOUD = "ENTRA_LAKE_BENCHMARK_CLOUD"
SIZES = (10_000, 100_000, 200_000)
FULL_SIZES = (10_000, 200_000, 2_000_000)
#: What a step may hold in memory, as a process of its own.
MOST_MIB = 256
#: How much more a step may hold for ten times the records.
MOST_GROWTH = 0.2


def run(options: Options) -> Report:
    """Take days of each size through all steps."""
    sizes = (options.records,) if options.records else FULL_SIZES if options.full else SIZES
    rounds = options.rounds or 1
    found = {size: [run_round(size) for _ in range(rounds)] for size in sizes}
    peaks = {size: max(item[step]["peak_mib"] for item in found[size] for step in STEPS) for size in sizes}
    return Report(
        name="day",
        question="What does each step of a day take, and how much memory?",
        tables=[*(_table(size, rounds) for size, rounds in found.items()), _rebuild_table()],
        claims={
            **{
                f"no step of a day of {size:,} sign-ins takes more than {MOST_MIB} MiB ({peak:,.0f})": peak <= MOST_MIB
                for size, peak in peaks.items()
            },
            **_growth(found),
        },
    )


def _growth(found: dict[int, list[dict[str, dict[str, float]]]]) -> dict[str, bool]:
    """Compare each step's peak on the largest day with that on a day of a tenth of it, where both were taken."""
    largest = max(found)
    if largest // 10 not in found:
        return {}
    grown = {
        step: max(item[step]["peak_mib"] for item in found[largest])
        / max(item[step]["peak_mib"] for item in found[largest // 10])
        for step in STEPS
    }
    step = max(grown, key=lambda name: grown[name])
    percent = round((grown[step] - 1) * 100)
    text = f"from {largest // 10:,} to {largest:,} records no step takes {MOST_GROWTH:.0%} more ({step}: {percent} %)"
    return {text: grown[step] < 1 + MOST_GROWTH}


def _table(size: int, rounds: list[dict[str, dict[str, float]]]) -> Table:
    rows = [(step, *(_cell(rounds, step, name) for name in ("wall_s", "cpu_s", "peak_mib"))) for step in STEPS]
    return Table(
        title=f"a working day of about {size:,} sign-ins",
        head=("step", "wall s", "CPU s", "peak MiB"),
        rows=rows,
        note=f"{rounds[0]['extract']['records']:,.0f} records; rounds: {len(rounds)}.",
    )


def _rebuild_table() -> Table:
    """Fill a lake, and build all of its days anew as if their objects were gone."""
    _, filled, rebuilt = run_steps(EACH, ("prepare", "fill", "rebuild")).values()
    return Table(
        title=f"{DAYS} days of {EACH:,} sign-ins, built anew from raw",
        head=("step", "wall s", "CPU s", "peak MiB"),
        rows=[
            (name, *(f"{facts[key]:.1f}" for key in ("wall_s", "cpu_s", "peak_mib")))
            for name, facts in (("read, build, load, verify", filled), ("rebuild, verify", rebuilt))
        ],
        note="Each day is built, loaded, registered, counted by Athena and acknowledged.",
    )


def run_round(records: int) -> dict[str, dict[str, float]]:
    """Take one day through all steps in a fresh cloud; return what each cost."""
    return run_steps(records, STEPS)


def run_steps(records: int, steps: Sequence[str]) -> dict[str, dict[str, float]]:
    """Run steps, each in a process of its own, in a fresh cloud of so many sign-ins a day."""
    with tempfile.TemporaryDirectory() as folder, Processes(Path(folder) / "logs") as processes:
        cloud = Path(folder) / "cloud"
        processes.start_sandbox(cloud, "--unthrottled", "--sign-ins-per-day", str(records))
        env = {**os.environ, **environment(cloud), _CLOUD: str(cloud)}
        results = {}
        for step in steps:
            command = [sys.executable, "-m", "benchmarks.day", "--step", step]
            done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
            results[step] = json.loads(done.stdout.splitlines()[-1])
        return results


def run_step(step: str) -> dict[str, float]:
    """Run one step in this process; return seconds, CPU seconds, peak MiB and records."""
    leave_pandas_out()
    lake = open_lake(replace(read_lake(), requests_per_10_seconds=UNLIMITED), get_connection=read_connection)
    weekday = _last_weekday(lake.clock.now().date() - timedelta(days=AGE))
    if step == LATE:
        _come_late(weekday)
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
        QUIET: lambda: collect_day(lake, SIGN_INS, day, "second"),
        LATE: lambda: collect_day(lake, SIGN_INS, day, "third"),
        "fill": lambda: [collect_day(lake, SIGN_INS, each, "fill") for each in _days(lake)],
        "rebuild": lambda: [_build_anew(lake, each) for each in _days(lake)],
    }


def _days(lake: Lake) -> list[date]:
    """Return the days before today: the oldest is within what Graph keeps."""
    today = lake.clock.now().date()
    return [today - timedelta(days=age) for age in range(DAYS, 0, -1)]


def _build_anew(lake: Lake, day: date) -> None:
    lake.aws.client("s3").delete_object(Bucket=lake.settings.bucket, Key=lake_key(SIGN_INS, day))
    rebuild_day(lake, SIGN_INS, day)


def _come_late(day: date) -> None:
    """Have the tenant show records of the day that it has not shown before."""
    control = json.loads((Path(os.environ[_CLOUD]) / "sandbox.json").read_text())["control_url"]
    for number in range(LATE_RECORDS):
        record = {"id": f"late-{number}", "createdDateTime": f"{day}T12:00:00Z", "userId": "late"}
        requests.post(
            f"{control}/records", json={"stream": "sign_ins", "record": record}, timeout=60
        ).raise_for_status()


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
