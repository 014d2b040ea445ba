"""How fast a large day is read from Graph, at its limit of five requests in ten seconds.

`python -m benchmarks.extraction` reads a day of 1,000 pages against the simulated tenant, on simulated time, at page
latencies from half a second to ten, and compares with other ways to page. Airflow's operator needs an environment of
its own, which `make bench-extraction` installs; without it those rows are missing. `--full` adds half an hour of real
time.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.beside import daily_seconds
from benchmarks.extraction_report import (
    AIRFLOW,
    ALLOWED,
    DAILY_PAGES,
    FIRST,
    KNOWN,
    OPERATOR_PAGES,
    PAGE_SIZE,
    PAGES,
    Measure,
    beside_claims,
    beside_table,
    deferrals_table,
    lower_table,
    main_table,
    operator_claims,
    own_claims,
    real_table,
)
from benchmarks.report import Options, Report, main
from benchmarks.rivals import parallel
from benchmarks.scene import DAY, Scene, sign_ins, tenant
from entra_lake.extract import extract
from entra_lake.load import load, transform
from entra_lake.passes import missing_slices
from entra_lake.slices import Slice

LATENCIES = (0.5, 1.5, 3.0, 6.0, 10.0)
STREAM = sign_ins(page_size=PAGE_SIZE)
#: Simulated seconds after which parallel readers that block one another are given up.
LONGEST = 3 * PAGES / ALLOWED
#: Pages that it reads in a real Airflow.
DEFERRALS = 10
#: Where `make bench` installs the operator.
OPERATOR = Path(__file__).parents[1] / ".venv" / "operator" / "bin" / "python"


#: Limits below the documented one, and how they are counted.
LOWER = ((3, "sliding"), (2, "bucket"), (1, "fixed"))
#: Page latencies of a daily run beside a backfill.
BESIDE = (1.5, 6.0)


def with_neighbour(folder: Path, pages: int = PAGES) -> Path:
    """Make a lake that holds the day before; return its folder."""
    with tenant(folder, pages * PAGE_SIZE, 0.5) as scene:
        extract(scene.lake, STREAM, DAY - timedelta(days=1), "neighbour")
        load(scene.lake, STREAM, DAY - timedelta(days=1), transform(scene.lake, STREAM, DAY - timedelta(days=1)))
    return folder / "lake"


def entra_lake(scene: Scene) -> int:
    """Read the day as the product does; return its pages."""
    report = extract(scene.lake, STREAM, DAY, "run")
    if missing_slices(Slice.of_day(DAY), [piece.window for piece in report.slices]):
        message = "the day was not read whole"
        raise ValueError(message)
    return -(-int(report.total("listed")) // PAGE_SIZE)


def measure(read: Callable[[Scene], int], latency: float, *, pages: int = PAGES, **settings: Any) -> Measure:
    """Let somebody read the day from a tenant of their own.

    :param read: returns how many pages the day has.
    """
    with tempfile.TemporaryDirectory() as name, tenant(Path(name), pages * PAGE_SIZE, latency, **settings) as scene:
        begun = scene.time.seconds()
        found = read(scene)
        seconds = scene.time.seconds() - begun
        return Measure(seconds=seconds, pages=found, answered=scene.answered(), refused=scene.refused())


def measure_known(neighbour: Path, latency: float) -> Measure:
    """Let the product read the day into a lake that holds the day before."""
    with tempfile.TemporaryDirectory() as name:
        lake = shutil.copytree(neighbour, Path(name) / "lake")
        shutil.rmtree(lake / "budget")
        return measure(entra_lake, latency, lake_folder=lake)


def run_operator(latency: float) -> Measure:
    """Let Airflow's operator read a smaller day."""
    found = _run("airflow_operator.py", str(OPERATOR_PAGES), str(latency))
    if found["failure"]:
        raise RuntimeError(found["failure"])
    answered = found["answered"]
    return Measure(seconds=found["seconds"], pages=answered, answered=answered, refused=found["refused"])


def run_deferrals() -> list[float]:
    """Let a real Airflow run the operator; return the seconds that each page takes beyond Graph's own."""
    return [float(seconds) for seconds in _run("airflow_deferrals.py", str(DEFERRALS))]


def _run(script: str, *arguments: str) -> Any:
    """Run a script in the operator's environment; return what it prints."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "AIRFLOW_HOME": home, "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
        command = [str(OPERATOR), str(Path(__file__).with_name(script)), *arguments]
        output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return json.loads(output.strip().splitlines()[-1])


def read_singly(latency: float) -> Measure:
    """Let one listing read the day."""
    return measure(lambda scene: parallel(scene, STREAM, 12 * PAGES, slices=1, workers=1), latency)


def read_naively(latency: float) -> Measure:
    """Let parallel readers that know nothing of one another read the day."""
    return measure(lambda scene: parallel(scene, STREAM, LONGEST), latency)


def read_lower(limit: tuple[int, str]) -> Measure:
    """Let the product read a quarter of the day where Graph allows less than it says."""
    allowed, kind = limit
    return measure(entra_lake, 3.0, pages=PAGES // 4, limit=allowed, kind=kind)


def read_daily(latency: float) -> list[float]:
    """Return the simulated seconds of a daily run alone, and beside a backfill."""
    return [daily_seconds(STREAM, DAILY_PAGES, latency, is_beside=is_beside) for is_beside in (False, True)]


def run(options: Options) -> Report:
    """Measure every way to read the day at every latency; `full` adds one run in real time."""
    ways: dict[str, Callable[[float], Measure]] = {
        FIRST: partial(measure, entra_lake),
        "one listing, `Retry-After` kept": read_singly,
        "24 slices, 4 readers, each its own `Retry-After`": read_naively,
    }
    if OPERATOR.exists():
        ways[AIRFLOW] = run_operator
    # Work takes no simulated time, so that two runs side by side change nothing but how long one waits for both.
    with tempfile.TemporaryDirectory() as name, ProcessPoolExecutor(2, get_context("spawn")) as pool:
        ways = {KNOWN: partial(measure_known, with_neighbour(Path(name))), **ways}
        taken = {way: pool.map(take, LATENCIES) for way, take in ways.items()}
        lower = dict(zip(LOWER, pool.map(read_lower, LOWER), strict=True))
        beside = dict(zip(BESIDE, pool.map(read_daily, BESIDE), strict=True))
        found = {way: dict(zip(LATENCIES, results, strict=True)) for way, results in taken.items()}
    deferrals = run_deferrals() if OPERATOR.exists() else []
    tables = [
        main_table(found),
        *([deferrals_table(deferrals)] if deferrals else []),
        lower_table(lower),
        beside_table(beside),
    ]
    if options.full:
        tables.append(real_table(measure(entra_lake, 1.5, is_real=True)))
    return Report(
        name="extraction",
        question=f"How long does a day of {PAGES:,} pages take (a million records at 1,000 a page)?",
        tables=tables,
        claims={**own_claims(found, lower), **beside_claims(beside), **operator_claims(found, deferrals)},
    )


if __name__ == "__main__":
    sys.exit(main(run))
