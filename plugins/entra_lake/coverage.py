"""What of the last weeks is in the lake: the state of each day of each stream, and what that adds up to.

Pure: the command `coverage`, the watch and the pages of the web UI show what this module computes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

from entra_lake.day_state import Reading, State, readings, state
from entra_lake.due import Due, Manifests, Reason, due, estimate_requests, is_safe, owed
from entra_lake.lake_facts import LakeFacts, expires_at, hours_to_expiry
from entra_lake.manifest import Manifest
from entra_lake.slices import ONE_DAY, day_range, iso

#: From this many hours of requests on that are due, new readings wait for a day or longer.
MOST_HOURS_DUE = 24.0
#: So many days tell how many requests a day of a stream takes.
_USUAL_DAYS = 7


@dataclass(frozen=True, kw_only=True)
class DayCoverage:
    """One day of one stream.

    :param is_safe: open, settled or sealed with nothing overdue.
    :param reason: why a reading is owed; None when none is.
    :param is_overdue: whether it has been owed for longer than the hourly runs explain.
    :param rows: rows of the day's object, one per id and content; `ids` the different ids.
    :param hours_to_expiry: how long Microsoft still has the day; 0 when it has not.
    :param readings: how many complete passes over the whole day there were, the last one at `last_read_at`.
    :param late_ids: ids that only a later reading than the first has brought.
    :param lateness_p50: hours after its event within which half of the ids were first seen, rounded up to
        the bounds of the manifest's histogram; `lateness_p99` the same for 99 of 100. None: unknown, or beyond.
    :param is_short: whether the last reading missed records that the lake holds.
    :param dropped: ages at which the request budget could not pay a reading.
    :param failed: parts of the day that Graph could not write out.
    :param moved: ids of this day that a neighbouring day holds, too.
    """

    stream: str
    day: date
    state: State
    is_safe: bool
    reason: Reason | None = None
    is_overdue: bool = False
    rows: int = 0
    ids: int = 0
    hours_to_expiry: float = 0.0
    readings: int = 0
    last_read_at: datetime | None = None
    late_ids: int = 0
    lateness_p50: float | None = None
    lateness_p99: float | None = None
    is_short: bool = False
    dropped: tuple[int, ...] = ()
    failed: tuple[str, ...] = ()
    moved: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as JSON can hold them."""
        read_at = iso(self.last_read_at) if self.last_read_at else None
        lists = {"dropped": list(self.dropped), "failed": list(self.failed)}
        return {**asdict(self), **lists, "day": str(self.day), "last_read_at": read_at}


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """The last days of all streams.

    :param days: oldest first; days in scope and older ones, which are `before`.
    :param rows: one per stream and day.
    :param due: the readings that are due, the most urgent first.
    :param requests_due: requests to Graph that what is due is likely to take.
    :param requests_per_hour: requests to Graph that the budget allows.
    :param load: requests that each day's readings take, as a share of those that the budget allows in a day.
    """

    now: datetime
    tenant_id: str
    streams: tuple[str, ...]
    days: tuple[date, ...]
    rows: Mapping[tuple[str, date], DayCoverage]
    due: Sequence[Due]
    requests_due: int
    requests_per_hour: int
    load: float

    @cached_property
    def days_in_scope(self) -> tuple[date, ...]:
        """Return the days of which the lake promises something."""
        return tuple(day for day in self.days if any(row.state is not State.BEFORE for row in self.of_day(day)))

    @cached_property
    def safe_days(self) -> tuple[date, ...]:
        """Return the days of which every stream is safe."""
        return tuple(
            day
            for day in self.days_in_scope
            if all(row.is_safe for row in self.of_day(day) if row.state is not State.BEFORE)
        )

    @cached_property
    def states(self) -> dict[State, int]:
        """Return how many rows have each state."""
        return dict(Counter(row.state for row in self.rows.values()))

    @cached_property
    def next_expiry_hours(self) -> float | None:
        """Return in how many hours Microsoft deletes the first day that is not sealed; None when there is none."""
        hours = [
            row.hours_to_expiry
            for row in self.rows.values()
            if row.hours_to_expiry and row.state not in {State.SEALED, State.BEFORE}
        ]
        return min(hours, default=None)

    @property
    def hours_due(self) -> float:
        """Return for how many hours what is due keeps the request budget busy."""
        return self.requests_due / max(1, self.requests_per_hour)

    @property
    def is_overloaded(self) -> bool:
        """Tell whether the request budget cannot pay for all readings: then middle ones are dropped."""
        return self.load > 1 or self.hours_due > MOST_HOURS_DUE

    def of_day(self, day: date) -> list[DayCoverage]:
        """Return the day's rows, one per stream."""
        return [self.rows[stream, day] for stream in self.streams]

    def having(self, *states: State) -> list[DayCoverage]:
        """Return the rows in one of these states, oldest day first."""
        return [row for day in self.days for row in self.of_day(day) if row.state in states]

    def overdue(self) -> list[DayCoverage]:
        """Return the rows that owe a reading for too long, oldest day first."""
        return [row for day in self.days for row in self.of_day(day) if row.is_overdue]

    def dropped(self) -> list[DayCoverage]:
        """Return the rows of which the request budget could not pay a reading."""
        return [row for day in self.days for row in self.of_day(day) if row.dropped]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON can hold it."""
        return {
            "now": iso(self.now),
            "tenant_id": self.tenant_id,
            "streams": list(self.streams),
            "days": [str(day) for day in self.days],
            "rows": [row.to_dict() for day in self.days for row in self.of_day(day)],
            "totals": {
                "days": len(self.days_in_scope),
                "safe_days": len(self.safe_days),
                "states": {str(name): count for name, count in sorted(self.states.items())},
                "due": len(self.due),
                "overdue": len(self.overdue()),
                "next_expiry_hours": self.next_expiry_hours,
                "requests_due": self.requests_due,
                "hours_due": round(self.hours_due, 2),
                "load": round(self.load, 4),
                "is_overloaded": self.is_overloaded,
            },
        }


def coverage(
    now: datetime, manifests: Manifests, lake: LakeFacts, *, days: int = 30, requests_per_10_seconds: int = 5
) -> Coverage:
    """Compute what of the last days is in the lake.

    :param manifests: those of at least the last `days` and of the days that Microsoft still has.
    :param days: how many days up to yesterday are shown.
    """
    yesterday = now.astimezone(UTC).date() - ONE_DAY
    shown = tuple(day_range(yesterday - timedelta(days=days - 1), yesterday))
    dues, estimate = due(now, manifests, lake), estimate_requests(manifests)
    return Coverage(
        now=now,
        tenant_id=lake.tenant_id,
        streams=lake.streams,
        days=shown,
        rows={
            (stream, day): _row(stream, day, manifests.get((stream, day)), now, lake.of(stream))
            for stream in lake.streams
            for day in shown
        },
        due=dues,
        requests_due=sum(estimate(item.stream, item.day) for item in dues),
        requests_per_hour=requests_per_10_seconds * 360,
        load=_requests_per_day(yesterday, manifests, lake) / (requests_per_10_seconds * 8640),
    )


def _row(stream: str, day: date, manifest: Manifest | None, now: datetime, lake: LakeFacts) -> DayCoverage:
    done = readings(manifest, day)
    debt = owed(manifest, now, lake, day) if now < expires_at(day, lake) else None
    found = DayCoverage(
        stream=stream,
        day=day,
        state=state(manifest, now, lake, day),
        is_safe=is_safe(manifest, now, lake, day),
        reason=debt.reason if debt else None,
        is_overdue=bool(debt and debt.is_overdue(now)),
        hours_to_expiry=hours_to_expiry(day, now, lake),
        readings=len(done),
        last_read_at=done[-1].started_at if done else None,
        is_short=bool(done and done[-1].is_short),
    )
    return _with_contents(found, manifest, done) if manifest else found


def _with_contents(row: DayCoverage, manifest: Manifest, done: Sequence[Reading]) -> DayCoverage:
    first = done[0].started_at if done else None
    later = [item for item in manifest.passes if first and datetime.fromisoformat(item["started_at"]) > first]
    facts: dict[str, Any] = {
        "rows": int(manifest.object.get("rows", 0)),
        "ids": int(manifest.object.get("ids", 0)),
        "late_ids": sum(int(item.get("new", 0)) for item in later),
        "lateness_p50": percentile(manifest.lateness, 0.5),
        "lateness_p99": percentile(manifest.lateness, 0.99),
        "dropped": tuple(manifest.dropped),
        "failed": tuple(str(item["slice"]) for item in manifest.passes[-1].get("failed", ())) if done else (),
        "moved": sum(int(item.get("moved", 0)) for item in manifest.passes),
    }
    return DayCoverage(**{**vars(row), **facts})


def percentile(histogram: Mapping[str, int], share: float) -> float | None:
    """Return the bound, in hours, below which this share lies; None when that is beyond the last bound, or unknown.

    :param histogram: upper bounds to counts; `more` for what lies beyond the last one.
    """
    total, reached = sum(histogram.values()), 0
    for bound in sorted((name for name in histogram if name != "more"), key=float):
        reached += histogram[bound]
        if reached >= share * total:
            return float(bound)
    return None


def _requests_per_day(yesterday: date, manifests: Manifests, lake: LakeFacts) -> float:
    """Return how many requests the readings of one day take, over all of its ages."""
    total = 0.0
    for stream in lake.streams:
        recent = [manifests.get((stream, yesterday - ONE_DAY * number)) for number in range(_USUAL_DAYS)]
        pages = [done[-1].pages for item in recent if item and (done := readings(item, date.fromisoformat(item.day)))]
        if pages:
            total += len(lake.of(stream).ages) * sum(pages) / len(pages)
    return total
