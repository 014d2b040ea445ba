"""The state of a day: computed from its manifest, the lake and the clock, never stored.

A day has an age: the date of today minus its own, both UTC. Readings are owed at the ages of a plan
(`rereading`). A complete pass over the whole day that started at age `a` pays every reading up to
`a`. A pass that was *short* (it misses records that the lake holds) or that could not have a slice
is repeated, at most `MOST_REPEATS` times, after 1, 2 and 4 hours; then the reading is given up until
the next age. After the last age it is tried once more each day until Microsoft deletes the day.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import takewhile
from typing import Any

from entra_lake.lake_facts import LakeFacts, age_of, expires_at, first_due_at, is_let_go, start_of_age
from entra_lake.manifest import Manifest
from entra_lake.rereading import planned_ages
from entra_lake.slices import Slice

#: From this age on, a reading that brings nothing new settles the day: risk is assessed for up to 48 hours.
SETTLING_AGE = 2
MOST_REPEATS = 3
#: Between a short pass and its repetition; twice as long each time.
REPEAT_AFTER = timedelta(hours=1)


class State(StrEnum):
    """What is known of a day."""

    BEFORE = "before"  # older than the lake, or than what it keeps: out of scope
    MISSING = "missing"  # due and not read
    OPEN = "open"  # read completely, re-reading owed; or nothing is owed yet
    SETTLED = "settled"  # a reading at age 2 or later brought nothing new and was not short
    SEALED = "sealed"  # last reading done and clean
    PARTIAL = "partial"  # a slice or record could not be had
    LOST = "lost"  # aged out without a complete pass


@dataclass(frozen=True)
class Reading:
    """A complete pass over the whole day.

    :param age: how many days old the day was when it started.
    :param is_short: whether it missed records that the lake holds.
    :param has_failed: whether it could not have a slice or record.
    """

    age: int
    started_at: datetime
    pages: int
    has_news: bool
    is_short: bool
    has_failed: bool

    @property
    def is_clean(self) -> bool:
        """Tell whether the reading need not be repeated."""
        return not self.is_short and not self.has_failed


def state(
    manifest: Manifest | None, now: datetime, lake: LakeFacts, day: date, *, dropped: Collection[int] | None = None
) -> State:
    """Return the state of a day of one stream.

    :param manifest: the day's manifest; None when nothing of the day is acknowledged.
    :param dropped: ages whose reading the request budget could not pay; without it, those that the manifest names.
    """
    if day < lake.collect_from:
        return State.BEFORE
    done = readings(manifest, day)
    if manifest is None or not done:
        return _unread(now, lake, day)
    if done[-1].has_failed:
        return State.PARTIAL
    ages = ages_of(manifest, now, lake, day)
    never_made = _never_made(manifest.dropped if dropped is None else dropped, done, ages)
    if any(item.is_clean and item.age >= ages[-1] for item in done) and not never_made:
        return State.SEALED
    last = done[-1]
    is_settled = last.age >= SETTLING_AGE and last.is_clean and not last.has_news
    return State.SETTLED if is_settled else State.OPEN


def readings(manifest: Manifest | None, day: date) -> list[Reading]:
    """Return the complete passes over the whole day in the order of their start.

    A pass over a part of the day, or from before it was over, is none: it pays nothing.
    """
    passes = [item for item in manifest.passes if _is_whole(item, day)] if manifest else []
    found = [_reading(item, day) for item in passes]
    return sorted((item for item in found if item.age >= 1), key=lambda item: item.started_at)


def ages_of(manifest: Manifest | None, now: datetime, lake: LakeFacts, day: date) -> tuple[int, ...]:
    """Return the ages, in days, at which this day is to be read.

    A day that has aged out is judged by the plan of its own time where that ended earlier: a longer
    retention, or a new setting, asks for nothing that cannot be read any more.
    """
    if manifest is None or now < expires_at(day, lake):
        return lake.ages
    wanted = manifest.reread_ages or lake.reread_ages
    return min(lake.ages, planned_ages(wanted, manifest.retention_days), key=lambda ages: ages[-1])


def attempts(done: Sequence[Reading], age: int) -> list[Reading]:
    """Return the latest readings, from this age on, that did not come out clean and have to be made good.

    A short one behind a clean one need not be: near the end of retention a listing misses what is deleted already.
    """
    made = [item for item in done if item.age >= age]
    if any(item.is_clean for item in made) and not made[-1].has_failed:
        return []
    return list(takewhile(lambda item: not item.is_clean, reversed(made)))[::-1]


def repeat_at(tried: Sequence[Reading], *, is_last: bool) -> datetime | None:
    """Return when a reading that did not come out clean is to be repeated; None when it was given up.

    :param tried: the `attempts` at one age of the plan.
    :param is_last: whether no further age comes, so that only expiry ends the attempts: one a day.
    """
    if not tried:
        return None
    latest = tried[-1]
    if len(tried) <= MOST_REPEATS:
        return latest.started_at + REPEAT_AFTER * (1 << len(tried) - 1)
    return start_of_age(latest.started_at.date(), 1) if is_last else None


def _never_made(dropped: Collection[int], done: Sequence[Reading], ages: Sequence[int]) -> list[int]:
    """Return the dropped ages at which the day was not read after all before the next age came."""
    ends = zip(ages, (*ages[1:], None), strict=True)
    read = {age for age, end in ends if any(age <= item.age and (end is None or item.age < end) for item in done)}
    return [age for age in dropped if age in ages and age not in read]


def _unread(now: datetime, lake: LakeFacts, day: date) -> State:
    if is_let_go(day, now, lake.keep_days):
        return State.BEFORE
    if now >= expires_at(day, lake):
        return State.LOST
    return State.MISSING if now >= first_due_at(day) else State.OPEN


def _is_whole(item: Mapping[str, Any], day: date) -> bool:
    whole = Slice.of_day(day)
    bounds = (datetime.fromisoformat(item["start"]), datetime.fromisoformat(item["end"]))
    return bool(item.get("finished_at")) and bounds == (whole.start, whole.end)


def _reading(item: Mapping[str, Any], day: date) -> Reading:
    started_at = datetime.fromisoformat(item["started_at"]).astimezone(UTC)
    return Reading(
        age=age_of(day, started_at),
        started_at=started_at,
        pages=int(item.get("pages", 0)),
        has_news=bool(item.get("new") or item.get("changed")),
        is_short=bool(item.get("missing")),
        has_failed=bool(item.get("failed")),
    )
