"""What the commands of `python -m entra_lake` do; each returns its exit code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from entra_lake.acknowledge import SKIPPED
from entra_lake.audit import CHECKS, Audit, audit
from entra_lake.collect import collect
from entra_lake.errors import ConfigurationError
from entra_lake.lake import Lake, open_lake
from entra_lake.progress import Progress
from entra_lake.rebuild import Rebuilt, rebuild
from entra_lake.report import outcome_table, size_text, text_table
from entra_lake.schema import Stream
from entra_lake.settings import LakeSettings, read_lake
from entra_lake.slices import ONE_DAY, check_day, day_range, parse_day
from entra_lake.streams import get_stream

#: Calls from the command line share one run, so that the next call goes on where the last was interrupted.
RUN_ID = "command-line"


def collect_command(options: argparse.Namespace) -> int:
    """Collect a range of days, print a line per day, and return 1 if any failed."""
    lake = open_chosen(options)
    first, last = _range(options, lake)
    outcomes = list(collect(lake, day_range(first, last), RUN_ID, print_progress, _streams(options, lake)))
    print(outcome_table(outcomes))
    if lake.to_dir:
        print(f"Athena is left out. {SKIPPED}")
    return 1 if any(outcome.error for outcome in outcomes) else 0


def verify_command(options: argparse.Namespace) -> int:
    """Audit what the manifests acknowledge, print a line per stream and day, and return 1 if anything is wrong."""
    lake = open_chosen(options)
    audits = list(audit(lake, parse_day(options.day) if options.day else None))
    print(audit_table(audits))
    wrong = [item for item in audits if item.faults]
    for item in wrong:
        for fault in item.faults:
            print(f"{item.stream.name} {item.day}: {fault}", file=sys.stderr)
    return 1 if wrong else 0


def rebuild_command(options: argparse.Namespace) -> int:
    """Rebuild days from raw, print a line per stream and day, and return 1 if any failed."""
    lake = open_chosen(options)
    day = parse_day(options.day) if options.day else None
    results = list(rebuild(lake, _streams(options, lake), day))
    print(rebuilt_table(results))
    return 1 if any(result.error for result in results) else 0


def audit_table(audits: Iterable[Audit]) -> str:
    """Return one line per stream and day: what each check found, and whether all is right."""
    rows = [
        (
            item.stream.name,
            str(item.day),
            *(item.findings[name].text for name in CHECKS),
            "WRONG" if item.faults else "right",
        )
        for item in audits
    ]
    return text_table(("stream", "day", *CHECKS, "verdict"), rows)


def rebuilt_table(results: Iterable[Rebuilt]) -> str:
    """Return one line per stream and day: what its object holds now, and what was done."""
    return text_table(("stream", "day", "rows", "ids", "size", "done"), [_rebuilt_cells(result) for result in results])


def _rebuilt_cells(result: Rebuilt) -> tuple[str, ...]:
    names = result.stream.name, str(result.day)
    if result.manifest is None:
        return (*names, "", "", "", f"no: {getattr(result.error, 'code', '')}")
    facts = result.manifest.object
    return (*names, f"{int(facts['rows']):,}", f"{int(facts['ids']):,}", size_text(int(facts["size"])), result.done)


def open_chosen(options: argparse.Namespace) -> Lake:
    """Open the lake that the options name."""
    return open_lake(_settings(options), to_dir=options.to_dir)


def _settings(options: argparse.Namespace) -> LakeSettings:
    settings = read_lake(options.lake)
    if limit := getattr(options, "requests_per_10_seconds", None):
        settings = replace(settings, requests_per_10_seconds=limit)
    return settings


def _streams(options: argparse.Namespace, lake: Lake) -> tuple[Stream, ...]:
    return tuple(get_stream(name) for name in options.streams or lake.settings.streams)


def _range(options: argparse.Namespace, lake: Lake) -> tuple[date, date]:
    yesterday = lake.clock.now().date() - ONE_DAY
    first = parse_day(options.first) if options.first else yesterday
    last = parse_day(options.last) if options.last else max(first, yesterday)
    if last < first:
        message = f"--to {last} lies before --from {first}. Exchange them."
        raise ConfigurationError(message)
    for day in (first, last):
        check_day(day, lake.clock.now(), lake.settings.retention_days)
    return first, last


def print_progress(progress: Progress) -> None:
    """Say on stderr how far a listing is."""
    print(progress.line(), file=sys.stderr)
