"""From raw to Parquet: what a record costs, beside other engines, and what each guarantee adds.

Every measurement is a process of its own; engines take turns within a round, so that ratios are those of one moment.
What else runs on a machine only adds to CPU seconds: of the two that the claim is about the least of some turns counts.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.engines import lines_of
from benchmarks.made_raw import PASSES, made_lake, write_raw
from benchmarks.report import Options, Report, Table, main, spread
from entra_lake.streams import STREAMS

#: pandas needs some 39 KB of memory for each record.
OTHERS_RECORDS = 40_000
OURS_RECORDS = 100_000
#: What other tools can read: no odd records.
OTHERS = ("pandas", "pyarrow_pylist", "polars", "duckdb")
#: What takes minutes.
SLOW = ("dlt",)
#: What the product does not install.
NOT_OURS = frozenset({"polars", "dlt"})
FLOORS = ("parse_only", "pyarrow_json", "encode_only")
#: Turns of the product and of pandas in each round.
TURNS = 3
#: How many times as many records per CPU second as pandas: in every round, in the median.
LEAST = {"sign_ins": (4.0, 5.0), "directory_audits": (2.0, 2.0)}
_BENCH_PYTHON = Path(__file__).parents[1] / ".venv-bench" / "bin" / "python"


@dataclass(frozen=True)
class Day:
    """A made day: so many records, with or without odd ones, of one or two passes."""

    name: str
    odd: bool = True
    passes: int = 2


FULL_DAY = Day("every guarantee at work")
#: Days that each leave one thing out.
COSTS = (
    Day("one clean pass", odd=False, passes=1),
    Day("+ 5 % odd records (fall-back, drift)", odd=True, passes=1),
    Day("+ a second pass that changes 3 % (merging, versions)", odd=False, passes=2),
)


@dataclass
class Measured:
    """The rounds of one engine on one day."""

    facts: list[dict[str, Any]] = field(default_factory=list)

    def each(self, records: int, size: float) -> tuple[str, str, str, str]:
        """Return records and MB per CPU second, microseconds a record, and the peak in MiB."""
        rates = [records / fact["cpu_s"] for fact in self.facts]
        return (
            spread(rates, 0),
            spread([size / 1e6 / fact["cpu_s"] for fact in self.facts], 0),
            spread([fact["cpu_s"] / records * 1e6 for fact in self.facts]),
            spread([fact["peak_mib"] for fact in self.facts], 0),
        )

    def cpu_each(self, records: int) -> list[float]:
        """Return CPU seconds a record, round by round."""
        return [fact["cpu_s"] / records for fact in self.facts]


def run(options: Options) -> Report:
    """Measure every engine on every stream."""
    rounds = options.rounds or (7 if options.full else 2)
    tables: list[Table] = []
    claims: dict[str, bool] = {}
    for stream in STREAMS:
        others = (*OTHERS, *SLOW) if options.full else OTHERS
        found, ratios = _stream(stream, rounds, options.records or OURS_RECORDS, others)
        tables += found
        least, middle = LEAST.get(stream, (1.0, 1.0))
        claims[f"{stream}: at least {least:g} times pandas in every round, {middle:g} in the median"] = (
            min(ratios) >= least and median(ratios) >= middle
        )
    return Report(
        name="transform",
        question="How many records does a CPU second take from raw to Parquet, and what does each guarantee cost?",
        tables=tables,
        claims=claims,
    )


def _stream(stream: str, rounds: int, count: int, rivals: Sequence[str]) -> tuple[list[Table], list[float]]:
    theirs = min(count, OTHERS_RECORDS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        days = {day.name: day for day in (*COSTS, FULL_DAY)}  # the last one stands beside pandas, for machines vary
        others = Day("clean", odd=False, passes=1)
        sizes = _make_days(folder, days.values(), stream, count)
        sizes |= _make_days(folder, [others], stream, theirs)
        rest = {day.name: ("entra_lake", folder / day.name) for day in COSTS}
        rest |= {name: (name, folder / others.name) for name in (*rivals, *FLOORS) if _is_here(name)}
        pair = {FULL_DAY.name: ("entra_lake", folder / FULL_DAY.name), "pandas": rest.pop("pandas")}
        measured = _rounds(rounds, pair, rest, stream)
    pandas = measured["pandas"].cpu_each(theirs)
    ours = measured[FULL_DAY.name].cpu_each(count)
    ratios = [one / mine for one, mine in zip(pandas, ours, strict=True)]
    head = ("", "records / CPU s", "MB / CPU s", "CPU us / record", "peak MiB", "times pandas")
    rows = [
        (label, *measured[key].each(many, sizes[day]), _times(pandas, measured[key].cpu_each(many)))
        for label, key, many, day in [
            ("Entra Lake, every guarantee", FULL_DAY.name, count, FULL_DAY.name),
            *((engine, engine, theirs, others.name) for engine in rivals if engine in measured),
            *((f"floor: {engine}", engine, theirs, others.name) for engine in FLOORS),
        ]
    ]
    costs = [(day.name, *measured[day.name].each(count, sizes[day.name])) for day in (*COSTS, FULL_DAY)]
    note = (
        f"{count:,} records for Entra Lake, one in twenty of them odd and 3 % changed in a second pass; "
        f"{theirs:,} without odd ones for the others; {sizes[others.name] / theirs:,.0f} bytes each as "
        f"JSON; rounds: {rounds}. A single thread each. Of every guarantee and of pandas the least of {TURNS} turns in "
        "each round, of the others one turn."
    )
    missing = [engine for engine in rivals if engine not in measured]
    if missing:
        note += f" Not installed, so not measured: {', '.join(missing)} (`make bench` installs them)."
    return [
        Table(title=f"{stream}: engines", head=head, rows=rows, note=note),
        Table(title=f"{stream}: what guarantees cost", head=head[:-1], rows=costs),
    ], ratios


def _rounds(
    rounds: int, pair: Mapping[str, tuple[str, Path]], rest: Mapping[str, tuple[str, Path]], stream: str
) -> dict[str, Measured]:
    """Let engines read their days: in each round the rest once, and the pair by turns."""
    measured: dict[str, Measured] = defaultdict(Measured)
    for _ in range(rounds):
        for name, (engine, place) in rest.items():
            measured[name].facts.append(_measure(engine, place, stream))
        turns = [[_measure(engine, place, stream) for engine, place in pair.values()] for _ in range(TURNS)]
        for name, facts in zip(pair, zip(*turns, strict=True), strict=True):
            measured[name].facts.append(min(facts, key=itemgetter("cpu_s")))
    return measured


def _make_days(folder: Path, days: Iterable[Day], stream: str, count: int) -> dict[str, int]:
    """Make days of the same records where they may be; return the bytes of each as JSON."""
    made: dict[bool, Path] = {}
    for day in sorted(days, key=lambda day: -day.passes):
        place = folder / day.name
        if day.odd in made:  # the same records without what the second pass brought
            shutil.copytree(made[day.odd], place, ignore=shutil.ignore_patterns(PASSES[1]))
        else:
            place.mkdir()
            write_raw(made_lake(place), STREAMS[stream], count, place, odd=day.odd, passes=day.passes)
            made[day.odd] = place
    return {day.name: sum(map(len, lines_of(folder / day.name, stream))) for day in days}


def _is_here(engine: str) -> bool:
    return engine not in NOT_OURS or _BENCH_PYTHON.exists()


def _measure(engine: str, folder: Path, stream: str) -> dict[str, Any]:
    """Let an engine read a day, in a process of its own."""
    python = str(_BENCH_PYTHON) if engine in NOT_OURS else sys.executable
    # One thread each: the claim is about CPU seconds, and threads that wait for one another would burn some.
    env = {**os.environ, "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1", "RUNTIME__DLTHUB_TELEMETRY": "false"}
    command = [python, "-m", "benchmarks.engines", engine, str(folder), stream]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"{engine} on {stream}: {done.stderr[-2000:]}"
        raise RuntimeError(message)
    facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return facts


def _times(theirs: list[float], mine: list[float]) -> str:
    return spread([one / other for one, other in zip(theirs, mine, strict=True)])


if __name__ == "__main__":
    sys.exit(main(run))
