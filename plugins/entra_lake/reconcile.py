"""Pay what is due: find the days that have to be read, as far as one run's bound reaches, and read them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from entra_lake.collect import Outcome, try_day
from entra_lake.commit import note_dropped
from entra_lake.crew import OnProgress
from entra_lake.due import Due, Reason, affordable, due, estimate_requests, readable_days
from entra_lake.errors import ConfigurationError
from entra_lake.holdings import read_facts, read_manifests
from entra_lake.lake import Lake
from entra_lake.slices import check_day, day_range
from entra_lake.streams import get_stream
from entra_lake.tables import prepare

log = logging.getLogger(__name__)

#: What one run takes at most: so many days of streams, and so many hours of requests.
MOST_READINGS = 30
MOST_HOURS = 3
#: Why a day is read that a person chose.
BY_HAND = "by hand"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one run reads, and what it must leave.

    :param kept: the most urgent, in the order in which they are read.
    :param left: what is more than a run takes; middle readings with reason `budget`.
    """

    now: datetime
    kept: Sequence[Due]
    left: Sequence[Due]


def find_due(lake: Lake, streams: Sequence[str] = ()) -> Plan:
    """Return what one run has to read now.

    :param streams: only of these; of all without it.
    :raises WrongTenantError: when the lake was begun for another tenant.
    """
    facts, now = read_facts(lake), lake.clock.now()
    manifests = read_manifests(lake, readable_days(now, facts))
    dues = [item for item in due(now, manifests, facts) if not streams or item.stream in streams]
    kept, left = affordable(dues, requests_of_a_run(lake), estimate_requests(manifests), most=MOST_READINGS)
    log.info("%d readings are due, %d of them in this run.", len(dues), len(kept))
    _note_dropped(lake, left)
    return Plan(now=now, kept=kept, left=left)


def _note_dropped(lake: Lake, left: Sequence[Due]) -> None:
    """Note in the manifests which middle readings the budget leaves out; one that is made in time counts as made."""
    dropped = [item for item in left if item.reason is Reason.BUDGET]
    for item in dropped:
        note_dropped(lake, get_stream(item.stream), item.day, item.age_owed)
    if dropped:
        log.warning("%d middle readings are more than the request budget pays in this run.", len(dropped))


def requests_of_a_run(lake: Lake) -> int:
    """Return how many requests one run may take."""
    return lake.settings.requests_per_10_seconds * 6 * 60 * MOST_HOURS


def pay(lake: Lake, plan: Plan, run_id: str, on_progress: OnProgress = lambda _: None) -> Iterator[Outcome]:
    """Read what the plan keeps; a day that fails does not stop the others.

    :returns: the outcome of each stream and day as it is known.
    """
    if plan.kept:
        prepare(lake)
    for item in plan.kept:
        yield try_day(lake, get_stream(item.stream), item.day, run_id, on_progress)


def chosen_days(
    lake: Lake, days: Sequence[date], first: date | None, last: date | None, streams: Sequence[str]
) -> list[tuple[str, date]]:
    """Return the streams and days that a person chose, oldest day first; none when no day was chosen.

    :raises ConfigurationError: when the choice contradicts itself, or is more than one run takes.
    :raises RetentionError, FutureDayError: when Graph cannot answer for a day.
    """
    if not days and not first and not last:
        return []
    chosen = sorted({*days, *_range(first, last)})
    for day in chosen:
        check_day(day, lake.clock.now(), lake.settings.retention_days)
    found = [(stream, day) for day in chosen for stream in streams or lake.settings.streams]
    if len(found) > MOST_READINGS:
        message = (
            f"{len(chosen)} days of {len(found) // len(chosen)} streams are {len(found)} readings, and one run takes "
            f"at most {MOST_READINGS}. Choose fewer days or streams, and start another run for the rest."
        )
        raise ConfigurationError(message)
    return found


def label(item: Due) -> str:
    """Return why a day is read, in one word."""
    return str(item.reason if item.reason is not Reason.BUDGET else Reason.MIDDLE)


def _range(first: date | None, last: date | None) -> list[date]:
    if not first and not last:
        return []
    if not first or not last or last < first:
        message = f"From {first} to {last} is no range of days. Give both, the earlier one first."
        raise ConfigurationError(message)
    return day_range(first, last)
