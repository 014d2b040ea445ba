"""What every benchmark gives, and how it is shown: tables of medians with their spread, and what they were taken on.

A benchmark is a script `benchmarks/<name>.py` with a function `run(options: Options) -> Report`. `main(run)` makes it a
command; `benchmarks/all.py` runs all of them and writes docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
_PACKAGES = ("pyarrow", "msgspec", "pandas", "numpy", "boto3", "duckdb")


@dataclass(frozen=True, kw_only=True)
class Options:
    """How much to measure.

    :param full: the large sizes, which take hours.
    :param rounds: how often each thing is measured; None: as often as the benchmark thinks right.
    :param records: of how many records a measured day is; None: of as many as the benchmark thinks right.
    """

    full: bool = False
    rounds: int | None = None
    records: int | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table of results.

    :param note: what one must know to read it.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def markdown(self) -> str:
        """Return the table as Markdown; the first column is text, the others are numbers."""
        lines = [self.head, ["---", *["---:"] * (len(self.head) - 1)], *self.rows]
        table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        return "\n\n".join(part for part in (f"**{self.title}**", table, self.note) if part)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one benchmark found.

    :param name: of its script.
    :param question: what it answers, in one sentence.
    :param claims: sentence to whether it holds in this run.
    """

    name: str
    question: str
    tables: Sequence[Table]
    claims: dict[str, bool] = field(default_factory=dict)

    def markdown(self, options: Options) -> str:
        """Return the report as a section of docs/benchmarks.md."""
        claims = "\n".join(
            f"- {'holds' if holds else '**does not hold**'}: {text}" for text, holds in self.claims.items()
        )
        parts = [self.question, *(table.markdown() for table in self.tables), claims, _taken_on(self.name, options)]
        return "\n\n".join(part for part in parts if part)


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Return the median and, where there are several, the smallest and the largest."""
    middle = f"{statistics.median(values):,.{digits}f}"
    return middle if len(values) == 1 else f"{middle} [{min(values):,.{digits}f}-{max(values):,.{digits}f}]"


def main(run: Callable[[Options], Report]) -> int:
    """Run one benchmark as a command; `--write` puts what it found into docs/benchmarks.md.

    :returns: 1 when a claim does not hold.
    """
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--full", action="store_true", help="the large sizes, too")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--records", type=int)
    parser.add_argument("--write", action="store_true", help="write the result into docs/benchmarks.md")
    arguments = parser.parse_args()
    options = Options(full=arguments.full, rounds=arguments.rounds, records=arguments.records)
    report = run(options)
    print(report.markdown(options))
    if arguments.write:
        write(report, options)
    return 0 if all(report.claims.values()) else 1


def write(report: Report, options: Options) -> None:
    """Put a report into docs/benchmarks.md in place of its last one; full results stay beside quick ones."""
    name = f"{report.name}{' (full)' if options.full else ''}"
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    section = f"{begin}\n## {_heading(name)}\n\n{report.markdown(options)}\n{end}\n"
    text = PAGE.read_text() if PAGE.exists() else "# Benchmarks\n"
    old = re.compile(re.escape(begin) + ".*?" + re.escape(end) + "\n", re.DOTALL)
    found = old.sub(lambda _: section, text) if old.search(text) else f"{text.rstrip()}\n\n{section}"
    PAGE.write_text(found)


def peak_mib() -> float:
    """Return the largest resident size that this process has had, in MiB (Linux).

    `ru_maxrss` of a child would hold what its parent had at the fork.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def _heading(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _taken_on(name: str, options: Options) -> str:
    chosen = {"full": options.full, "rounds": options.rounds, "records": options.records}
    flags = "".join(f" --{key}" if value is True else f" --{key} {value}" for key, value in chosen.items() if value)
    packages = ", ".join(f"{package} {found}" for package in _PACKAGES if (found := _version(package)))
    return (
        f"`python -m benchmarks.{name}{flags}`, {date.today()}, {platform.machine()} with {os.cpu_count()} cores, "
        f"{platform.system()}, Python {platform.python_version()}, {packages}."
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
