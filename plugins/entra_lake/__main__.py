"""The same pipeline without Airflow: `python -m entra_lake collect --from 2026-11-20 --to 2026-11-22`."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from entra_lake import __version__
from entra_lake.collect import collect, day_range
from entra_lake.errors import ConfigurationError, EntraLakeError
from entra_lake.lake import Lake, open_lake
from entra_lake.progress import Progress
from entra_lake.report import outcome_table
from entra_lake.settings import DEFAULT_LAKE, LakeSettings, read_lake
from entra_lake.slices import ONE_DAY, check_day, parse_day
from entra_lake.streams import STREAMS, get_stream

#: Calls from the command line share one run, so that the next call goes on where the last was interrupted.
RUN_ID = "command-line"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code: 0 when all is well, 1 with the reason on stderr."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    try:
        return int(options.command(options))
    except EntraLakeError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. The same command goes on from here.", file=sys.stderr)
        return 130


def collect_command(options: argparse.Namespace) -> int:
    """Collect a range of days, print a line per day, and return 1 if any failed."""
    lake = open_lake(_settings(options))
    first, last = _range(options, lake)
    streams = [get_stream(name) for name in options.streams or lake.settings.streams]
    outcomes = list(collect(lake, day_range(first, last), RUN_ID, _print_progress, streams))
    print(outcome_table(outcomes))
    return 1 if any(outcome.error for outcome in outcomes) else 0


def _settings(options: argparse.Namespace) -> LakeSettings:
    settings = read_lake(options.lake)
    if options.requests_per_10_seconds:
        settings = replace(settings, requests_per_10_seconds=options.requests_per_10_seconds)
    return settings


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


def _print_progress(progress: Progress) -> None:
    print(progress.line(), file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m entra_lake", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("collect", help="take days from Graph to the lake; go on where it was interrupted")
    command.set_defaults(command=collect_command)
    command.add_argument("--from", dest="first", metavar="DAY", help="first day, YYYY-MM-DD; yesterday without it")
    command.add_argument("--to", dest="last", metavar="DAY", help="last day, included; yesterday without it")
    command.add_argument(
        "--streams", nargs="+", choices=list(STREAMS), metavar="STREAM", help=f"of {', '.join(STREAMS)}"
    )
    command.add_argument("--lake", default=DEFAULT_LAKE, help="an entry of include/lakes.yaml (default: %(default)s)")
    command.add_argument(
        "--requests-per-10-seconds",
        type=int,
        metavar="N",
        help="Graph's limit, if Microsoft has given your application another than the documented 5",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
