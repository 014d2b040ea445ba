"""The pipeline without Airflow: `python -m entra_lake collect --from 2026-11-20 --to 2026-11-22`.

`coverage` shows the state of all days, `reconcile` reads what is due, `watch` mails before records are lost.
`verify` looks at what was acknowledged, `rebuild` builds the lake again from raw, `detect` tries a detection,
`erase` removes a person.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from entra_lake import __version__
from entra_lake.commands import collect_command, rebuild_command, verify_command
from entra_lake.detect_command import detect_command
from entra_lake.erase_command import erase_command
from entra_lake.errors import EntraLakeError
from entra_lake.pandas_absence import leave_pandas_out
from entra_lake.settings import DEFAULT_LAKE
from entra_lake.streams import STREAMS
from entra_lake.upkeep_commands import coverage_command, reconcile_command, watch_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code: 0 when all is well, 1 with the reason on stderr."""
    options = _parser().parse_args(arguments)
    leave_pandas_out()
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    try:
        return int(options.command(options))
    except EntraLakeError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. The same command goes on from here.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m entra_lake", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True)
    _add_collect(commands.add_parser("collect", help="take days from Graph to the lake; go on where it stopped"))
    _add_verify(commands.add_parser("verify", help="check what manifests acknowledge: objects, raw, Athena's counts"))
    _add_rebuild(commands.add_parser("rebuild", help="build the lake's objects again from raw"))
    _add_erase(commands.add_parser("erase", help="remove a person's records for good"))
    _add_coverage(commands.add_parser("coverage", help="show the state of the last days of each stream"))
    _add_reconcile(commands.add_parser("reconcile", help="read what is due, as one run of the hourly DAG does"))
    _add_detect(commands.add_parser("detect", help="try a detection: show what it finds; store and mail nothing"))
    _add_watch(commands.add_parser("watch", help="mail when days are overdue, about to age out, or lost"))
    return parser


def _add_collect(command: argparse.ArgumentParser) -> None:
    command.set_defaults(command=collect_command)
    command.add_argument("--from", dest="first", metavar="DAY", help="first day, YYYY-MM-DD; yesterday without it")
    command.add_argument("--to", dest="last", metavar="DAY", help="last day, included; yesterday without it")
    _add_limit(command)
    _add_streams(command)
    _add_lake(command)


def _add_verify(command: argparse.ArgumentParser) -> None:
    command.set_defaults(command=verify_command)
    command.add_argument("--day", metavar="DAY", help="this day, YYYY-MM-DD; without it every day with a manifest")
    _add_lake(command)


def _add_rebuild(command: argparse.ArgumentParser) -> None:
    command.set_defaults(command=rebuild_command)
    days = command.add_mutually_exclusive_group(required=True)
    days.add_argument("--day", metavar="DAY", help="this day, YYYY-MM-DD")
    days.add_argument("--all", action="store_true", help="every day that raw or a manifest knows")
    _add_streams(command)
    _add_lake(command)


def _add_erase(command: argparse.ArgumentParser) -> None:
    command.set_defaults(command=erase_command)
    command.add_argument(
        "--user",
        nargs="+",
        required=True,
        metavar="NAME",
        help="the person's object id and sign-in names, as many as known",
    )
    command.add_argument("--targets", action="store_true", help="also what others did to the person")
    command.add_argument("--dry-run", action="store_true", help="look, and change nothing")
    _add_lake(command)


def _add_coverage(command: argparse.ArgumentParser) -> None:
    command.set_defaults(command=coverage_command)
    command.add_argument("--days", type=_number, default=30, metavar="N", help="this many days (default: %(default)s)")
    command.add_argument("--json", action="store_true", help="print everything as JSON, for machines")
    _add_lake(command)


def _add_reconcile(command: argparse.ArgumentParser) -> None:
    command.set_defaults(command=reconcile_command)
    command.add_argument("--detect", action="store_true", help="then run the detections, and mail what is new")
    _add_limit(command)
    _add_streams(command)
    _add_lake(command)


def _add_watch(command: argparse.ArgumentParser) -> None:
    command.set_defaults(command=watch_command)
    how = command.add_mutually_exclusive_group()
    how.add_argument("--once", action="store_true", help="look once (this is the default)")
    how.add_argument("--every", type=_number, metavar="SECONDS", help="look again after so many seconds, for ever")
    _add_lake(command)


def _add_detect(command: argparse.ArgumentParser) -> None:
    command.set_defaults(command=detect_command)
    command.add_argument("rule", metavar="RULE", help="a file that ends in .sql, or the id of a rule of this lake")
    command.add_argument("--days", type=_number, default=30, metavar="N", help="this many days (default: %(default)s)")
    _add_lake(command)


def _add_limit(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--requests-per-10-seconds",
        type=_number,
        metavar="N",
        help="Graph's limit, if Microsoft has given your application another than the documented 5",
    )


def _number(text: str) -> int:
    number = int(text)
    if number < 1:
        message = f"{text} is too small"
        raise argparse.ArgumentTypeError(message)
    return number


def _add_streams(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--streams", nargs="+", choices=list(STREAMS), metavar="STREAM", help=f"of {', '.join(STREAMS)}"
    )


def _add_lake(command: argparse.ArgumentParser) -> None:
    command.add_argument("--lake", default=DEFAULT_LAKE, help="an entry of include/lakes.yaml (default: %(default)s)")
    command.add_argument(
        "--to-dir", type=Path, metavar="DIR", help="keep the lake in this plain folder; no AWS, and no Athena"
    )


if __name__ == "__main__":
    sys.exit(main())
