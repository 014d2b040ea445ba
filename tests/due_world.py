"""Days, manifests and passes for tests of what is owed; a world in which days go by."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from entra_lake.day_state import State, state
from entra_lake.due import (
    Due,
    due,
)
from entra_lake.lake_facts import LakeFacts, age_of, start_of_age
from entra_lake.manifest import Manifest, add_passes
from entra_lake.passes import PassReport, SliceReport, summarise
from entra_lake.rereading import DEFAULT_AGES, default_ages
from entra_lake.slices import Slice, check_day, iso

DAY = date(2026, 11, 22)
DAY_START = datetime(2026, 11, 22, tzinfo=UTC)
HOUR = timedelta(hours=1)
ONE_DAY = timedelta(days=1)
TICK = timedelta.resolution
LAKE = LakeFacts(
    tenant_id="t", collect_from=date(2026, 10, 1), retention_days=30, reread_ages=DEFAULT_AGES, streams=("sign_ins",)
)
WEEK = replace(LAKE, retention_days=7, reread_ages=default_ages(7))
TWO_STREAMS = replace(LAKE, streams=("sign_ins", "directory_audits"))


def one_pass(day: date, at: datetime, *, window: Slice | None = None, **counts: Any) -> PassReport:
    """Return a pass over the day in one slice, started at this time."""
    span = window or Slice.of_day(day)
    bounds = {"start": iso(span.start), "end": iso(span.end)}
    return PassReport(
        pass_id=f"{at:%Y%m%dT%H%M%SZ}-00000000",
        run_id="run",
        started_at=iso(at),
        finished_at=iso(at + HOUR),
        slices=(SliceReport(**bounds, **{"pages": 3, **counts}),),
        **bounds,
    )


def manifest_of(day: date, *passes: PassReport, known: Manifest | None = None, **members: Any) -> Manifest:
    """Return the manifest that acknowledges these passes, behind those of an earlier one."""
    return Manifest(
        stream="sign_ins",
        day=str(day),
        tenant_id="t",
        committed_at="2026-11-23T07:00:00Z",
        passes=add_passes(known.passes if known else (), map(summarise, passes)),
        athena={},
        **{"retention_days": 30, "object": {}, **members},
    )


def read_at(*ages: int, day: date = DAY, **counts: Any) -> Manifest:
    """Return the manifest of a day that was read at noon of these ages, the last time with these counts."""
    moments = [start_of_age(day, age) + 12 * HOUR for age in ages]
    return manifest_of(day, *[one_pass(day, at) for at in moments[:-1]], one_pass(day, moments[-1], **counts))


def noon(age: int, day: date = DAY) -> datetime:
    """Return noon of the day that many days later."""
    return start_of_age(day, age) + 12 * HOUR


class World:
    """A lake of manifests that pays what is due."""

    def __init__(self, lake: LakeFacts) -> None:
        self.lake = lake
        self.manifests: dict[tuple[str, date], Manifest] = {}
        self.paid: list[tuple[datetime, Due]] = []

    def due(self, now: datetime) -> list[Due]:
        return due(now, self.manifests, self.lake)

    def read(self, item: Due, now: datetime, **counts: Any) -> None:
        """Read a day that is due; Graph must not refuse it."""
        check_day(item.day, now, self.lake.retention_days)
        key = (item.stream, item.day)
        done = one_pass(item.day, now, **counts)
        self.manifests[key] = manifest_of(
            item.day, done, known=self.manifests.get(key), retention_days=self.lake.retention_days
        )
        self.paid.append((now, item))

    def pay(self, now: datetime, most: int | None = None, **counts: Any) -> list[Due]:
        """Read what is due, the most urgent first."""
        items = self.due(now)[:most]
        for item in items:
            self.read(item, now, **counts)
        return items

    def run(self, begin: datetime, end: datetime, step: timedelta = ONE_DAY, most: int | None = None) -> None:
        """Pay at regular times."""
        while begin < end:
            self.pay(begin, most)
            begin += step

    def states(self, now: datetime) -> dict[date, State]:
        """Return the states of the days of the first stream, from the first in scope to yesterday."""
        days = (self.lake.collect_from + ONE_DAY * number for number in range(age_of(self.lake.collect_from, now)))
        stream = self.lake.streams[0]
        return {day: state(self.manifests.get((stream, day)), now, self.lake, day) for day in days}


#: Moments of a few weeks, to the minute, often at midnight and at seven.
moments = st.builds(
    lambda age, minute: start_of_age(DAY, age) + timedelta(minutes=minute),
    st.integers(0, 34),
    st.sampled_from((0, 1, 419, 420, 421, 720, 1439)) | st.integers(0, 1439),
)
outcomes = st.fixed_dictionaries(
    {},
    optional={"new": st.just(4), "changed": st.just(2), "missing": st.just(1), "failed": st.just("invalid JSON")},
)
#: A day's manifest after passes at any times with any outcomes.
manifests = st.lists(st.tuples(moments, outcomes), max_size=7, unique_by=lambda item: item[0]).map(
    lambda made: manifest_of(DAY, *[one_pass(DAY, at, **counts) for at, counts in made]) if made else None
)
lakes = st.sampled_from((LAKE, WEEK, replace(LAKE, reread_ages=(3, 9)), replace(LAKE, retention_days=14)))
