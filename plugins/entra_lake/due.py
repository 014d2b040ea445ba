"""What is owed: readings of days, as a pure function of manifests, lake and clock, never of Airflow's runs.

Whoever pays all that `due` names has nothing to pay until the next age of some day: the lake heals
its own gaps, and a new lake fills itself with all that Microsoft still has.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from entra_lake.day_state import Reading, State, ages_of, attempts, readings, repeat_at, state
from entra_lake.lake_facts import LakeFacts, age_of, expires_at, first_due_at, start_of_age
from entra_lake.manifest import Manifest
from entra_lake.slices import ONE_DAY, day_range

Manifests = Mapping[tuple[str, date], Manifest]
#: Tells how many requests a pass over this day of this stream is likely to take.
Estimate = Callable[[str, date], int]

SAFE = frozenset({State.OPEN, State.SETTLED, State.SEALED})
#: Requests that a pass is taken to need where nothing is known of its stream: 100,000 records.
UNKNOWN_REQUESTS = 100
#: A day that was never read may stay due so long before somebody must hear of it; a re-reading longer.
FIRST_OVERDUE_AFTER = timedelta(hours=6)
OVERDUE_AFTER = timedelta(hours=24)


class Reason(StrEnum):
    """Why a reading is owed."""

    FIRST = "first"  # the day was never read
    LAST = "last"  # last reading before Microsoft deletes the day
    SHORT = "short"  # the last pass missed records that the lake holds
    PARTIAL = "partial"  # the last pass could not have a slice or record
    MIDDLE = "middle"  # a reading between the first and the last
    BUDGET = "budget"  # a middle one that the request budget cannot pay


#: When not everything can be paid: smaller is paid first.
PRIORITY = {
    Reason.FIRST: 0,
    Reason.LAST: 1,
    Reason.SHORT: 2,
    Reason.PARTIAL: 2,
    Reason.MIDDLE: 3,
    Reason.BUDGET: 3,
}


@dataclass(frozen=True, kw_only=True)
class Debt:
    """One reading that is owed, of whatever day.

    :param age_owed: the newest age, in days, that has come without its reading; one pass pays the older ones too.
    :param since: when the oldest of the unpaid readings came due.
    """

    reason: Reason
    age_owed: int
    since: datetime

    def is_overdue(self, now: datetime) -> bool:
        """Tell whether it has been owed for longer than the hourly runs explain."""
        return now - self.since > (FIRST_OVERDUE_AFTER if self.reason is Reason.FIRST else OVERDUE_AFTER)


@dataclass(frozen=True, kw_only=True)
class Due(Debt):
    """A day of a stream that has to be read.

    :param expires_at: from when on Graph refuses the day.
    """

    stream: str
    day: date
    expires_at: datetime


def due(now: datetime, manifests: Manifests, lake: LakeFacts) -> list[Due]:
    """Return what has to be read, each day of each stream at most once, the most urgent first.

    The order: first readings, last readings, those to repeat, the middle ones; of each, nearest to expiry first.
    """
    return sorted(_dues(now, manifests, lake), key=lambda item: (PRIORITY[item.reason], item.expires_at))


def owed(manifest: Manifest | None, now: datetime, lake: LakeFacts, day: date) -> Debt | None:
    """Return the reading that a day owes; None when it owes none.

    :returns: for a day that has aged out, what it still owed in its last moment.
    """
    moment = min(now, expires_at(day, lake) - timedelta.resolution)
    if day < lake.collect_from or moment < first_due_at(day):
        return None
    ages = ages_of(manifest, now, lake, day)
    reached = [age for age in ages if age <= age_of(day, moment)]
    done = readings(manifest, day)
    if not done:
        since = max(first_due_at(day), lake.created_at or first_due_at(day))
        return Debt(reason=Reason.FIRST, age_owed=reached[-1], since=since)
    if done[-1].age >= reached[-1]:
        return _repetition(done, reached[-1], moment, ages)
    return _next_reading(done, reached, ages, day)


def affordable(
    dues: Sequence[Due], budget_requests: int, estimate: Estimate, *, most: int | None = None
) -> tuple[list[Due], list[Due]]:
    """Divide what is due into what this many requests pay, and the rest; together they are what was given.

    The most urgent one is always kept, however large, so that it cannot block the lake for ever. What
    lies behind the first that is too much waits with it: small ones must not overtake an urgent one.

    :param most: the largest number of days to keep.
    :returns: those kept, and those dropped: middle ones with reason `budget`, the others, which the
        next run has to pay first, with their own.
    """
    spent, kept = 0, 0
    for item in dues[:most]:
        spent += estimate(item.stream, item.day)
        if kept and spent > budget_requests:
            break
        kept += 1
    return list(dues[:kept]), [_dropped(item) for item in dues[kept:]]


def estimate_requests(manifests: Manifests, default: int = UNKNOWN_REQUESTS) -> Estimate:
    """Return an estimate of the requests of a pass: the pages of the day's last one.

    :param default: requests for a stream of which no pass is known; a day that is unknown in a known
        stream is taken for its largest one.
    """
    pages = {key: done[-1].pages for key, item in manifests.items() if (done := readings(item, key[1]))}
    largest: dict[str, int] = {}
    for (stream, _), number in pages.items():
        largest[stream] = max(number, largest.get(stream, 0))
    return lambda stream, day: max(1, pages.get((stream, day), largest.get(stream, default)))


def is_safe(
    manifest: Manifest | None, now: datetime, lake: LakeFacts, day: date, *, dropped: Collection[int] | None = None
) -> bool:
    """Tell whether the day is open, settled or sealed with nothing overdue.

    A day that aged out while it owed a reading stays unsafe: that reading can never be made.
    """
    if state(manifest, now, lake, day, dropped=dropped) not in SAFE:
        return False
    debt = owed(manifest, now, lake, day)
    return debt is None or not (now >= expires_at(day, lake) or debt.is_overdue(now))


def lost_days(now: datetime, manifests: Manifests, lake: LakeFacts) -> list[tuple[str, date]]:
    """Return each stream and day that aged out without a complete pass, oldest first."""
    last = now.astimezone(UTC).date() - ONE_DAY
    return [
        (stream, day)
        for day in day_range(lake.collect_from, last)
        for stream in lake.streams
        if state(manifests.get((stream, day)), now, lake.of(stream), day) is State.LOST
    ]


def endangered(
    now: datetime, manifests: Manifests, lake: LakeFacts, within: timedelta
) -> list[tuple[str, date, State]]:
    """Return each stream and day that is missing or partial and ages out within this time, nearest first."""
    found = [
        (stream, day, state(manifests.get((stream, day)), now, lake.of(stream), day))
        for stream in lake.streams
        for day in readable_days(now, lake.of(stream))
        if expires_at(day, lake.of(stream)) - now <= within
    ]
    found.sort(key=lambda item: expires_at(item[1], lake.of(item[0])))
    return [item for item in found if item[2] in {State.MISSING, State.PARTIAL}]


def _dues(now: datetime, manifests: Manifests, lake: LakeFacts) -> Iterator[Due]:
    for stream in lake.streams:
        facts = lake.of(stream)
        for day in readable_days(now, facts):
            if debt := owed(manifests.get((stream, day)), now, facts, day):
                yield Due(stream=stream, day=day, expires_at=expires_at(day, facts), **vars(debt))


def _repetition(done: Sequence[Reading], age: int, moment: datetime, ages: Sequence[int]) -> Debt | None:
    """Return the repetition of a reading that did not come out clean, once its time has come."""
    since = repeat_at(attempts(done, age), is_last=age == ages[-1])
    if since is None or moment < since:
        return None
    reason = Reason.PARTIAL if done[-1].has_failed else Reason.SHORT
    return Debt(reason=reason, age_owed=age, since=since)


def _next_reading(done: Sequence[Reading], reached: Sequence[int], ages: Sequence[int], day: date) -> Debt:
    """Return the newest reading that has come; what was owed before is still owed with it."""
    paid = max(age for age in reached if age <= done[-1].age)
    since = start_of_age(day, min(age for age in reached if age > paid))
    since = min(since, repeat_at(attempts(done, paid), is_last=False) or since)
    reason = Reason.LAST if reached[-1] == ages[-1] else Reason.MIDDLE
    return Debt(reason=reason, age_owed=reached[-1], since=since)


def _dropped(item: Due) -> Due:
    return replace(item, reason=Reason.BUDGET) if item.reason is Reason.MIDDLE else item


def readable_days(now: datetime, lake: LakeFacts) -> list[date]:
    """Return the days in scope that are over and that Graph still serves, oldest first."""
    today = now.astimezone(UTC).date()
    return day_range(max(lake.collect_from, today - timedelta(days=lake.retention_days)), today - ONE_DAY)
