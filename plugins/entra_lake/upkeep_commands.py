"""What the commands `coverage`, `watch` and `reconcile` do; each returns its exit code."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from entra_lake.clock import system_clock
from entra_lake.commands import open_chosen, print_progress
from entra_lake.concerns import Kind
from entra_lake.connections import read_connection
from entra_lake.coverage import Coverage, coverage
from entra_lake.coverage_text import LEGEND, grid, sentence
from entra_lake.digest import tell
from entra_lake.errors import EntraLakeError
from entra_lake.examine import examine, recent_days
from entra_lake.holdings import find_facts, read_manifests
from entra_lake.lake import Lake
from entra_lake.posting import post, said
from entra_lake.reconcile import find_due, pay
from entra_lake.report import outcome_table
from entra_lake.settings import read_lake
from entra_lake.slices import ONE_DAY, day_range, iso
from entra_lake.watch import Sight, blind_letter, watch

log = logging.getLogger(__name__)

#: Concerns for which the watch ends with 1: records are or will be missing.
ALARMING = frozenset({Kind.OVERDUE, Kind.ENDANGERED, Kind.LOST})
#: A lake that cannot be looked at is mailed about again after this time.
BLIND_QUIET = timedelta(hours=6)
_NOT_BEGUN = "Lake {} has not begun: no run has written its lake.json yet."


def coverage_command(options: argparse.Namespace) -> int:
    """Print the state of the last days of each stream, and what it adds up to; 0, whatever it says."""
    lake = open_chosen(options)
    facts, now = find_facts(lake), lake.clock.now()
    if facts is None:
        print(json.dumps(None) if options.json else _NOT_BEGUN.format(lake.settings.name))
        return 0
    days = max(options.days, lake.settings.retention_days)
    last = now.date() - ONE_DAY
    manifests = read_manifests(lake, day_range(last - ONE_DAY * (days - 1), last))
    limit = lake.settings.requests_per_10_seconds
    found = coverage(now, manifests, facts, days=options.days, requests_per_10_seconds=limit)
    print(json.dumps(found.to_dict(), indent=1) if options.json else _text(found, lake))
    return 0


def reconcile_command(options: argparse.Namespace) -> int:
    """Read what is due, as one run of the hourly DAG does, and print a line per day; 1 if any failed."""
    lake = open_chosen(options)
    plan = find_due(lake, options.streams or ())
    outcomes = list(pay(lake, plan, f"reconcile {iso(plan.now)}", print_progress))
    print(outcome_table(outcomes) if outcomes else "Nothing is due.")
    if plan.left:
        print(f"{len(plan.left)} readings are left for the next run.")
    detected = _detect(lake) if options.detect else True
    return 0 if detected and not any(outcome.error for outcome in outcomes) else 1


def _detect(lake: Lake) -> bool:
    """Run the detections that are owed and mail what is new; tell whether all could be run."""
    done = examine(lake, recent_days(lake))
    told = tell(lake, read_connection, base_url=os.environ.get("AIRFLOW__API__BASE_URL", ""))
    print(f"{done.line()}\n{told.line()}")
    if error := done.error():
        print(error, file=sys.stderr)
    return error is None


def watch_command(options: argparse.Namespace) -> int:
    """Look at the lake, mail what is of concern, and return 1 if records are or will be missing.

    With `--every` it looks again and again, and ends only when it is stopped.
    """
    while True:
        code = _watch_once(options)
        if not options.every:
            return code
        system_clock().sleep(options.every)


def _watch_once(options: argparse.Namespace) -> int:
    try:
        lake = open_chosen(options)
        if find_facts(lake) is None:
            print(_NOT_BEGUN.format(lake.settings.name))
            return 0
        sight = watch(lake, read_connection)
    except (EntraLakeError, ClientError, BotoCoreError, OSError) as error:
        _tell_blindness(options, said(error))
        print(error, file=sys.stderr)
        return 1
    print("\n".join(_watched(sight)))
    return 1 if any(item.kind in ALARMING for item in sight.concerns) else 0


def _watched(sight: Sight) -> Iterator[str]:
    told = {item.key for item in sight.told}
    yield sentence(sight.found)
    for item in sight.concerns:
        yield f"{item.kind}: {item.words}{' (mailed)' if item.key in told else ''}"


def _tell_blindness(options: argparse.Namespace, words: str) -> None:
    """Mail that the lake cannot be looked at, once in a while; the bucket cannot tell whether it was done."""
    settings, now = read_lake(options.lake), system_clock().now()
    stamp = Path(tempfile.gettempdir()) / f"entra-lake-watch-{os.getuid()}-{settings.name}"
    with contextlib.suppress(OSError, ValueError):
        if now - datetime.fromisoformat(stamp.read_text()) < BLIND_QUIET:
            return
    if post(blind_letter(settings, words, now), settings, now, read_connection):
        with contextlib.suppress(OSError):
            stamp.write_text(now.isoformat())


def _text(found: Coverage, lake: Lake) -> str:
    head = f"lake {lake.settings.name} · tenant {found.tenant_id} · {found.now:%Y-%m-%d %H:%M} UTC"
    return "\n".join([head, "", grid(found), "", *LEGEND, "", sentence(found)])
