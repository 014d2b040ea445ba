"""Days and slices: which part of the event time one listing asks for.

A day is a UTC calendar date of the event, half-open `[D, D+1)`; a slice is a half-open part of a
day. Half-open parts join without gap or overlap, which closed ones cannot: a collector that asked
`gt 00:00:00` and `lt 24:00:00` never saw what happened at midnight.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

from entra_lake.errors import ConfigurationError, FutureDayError, RetentionError
from entra_lake.schema import Stream

ONE_DAY = timedelta(days=1)
#: Graph filters by seconds for certain; shorter slices would rest on undocumented precision.
SHORTEST_SLICE = timedelta(seconds=1)


@dataclass(frozen=True, order=True)
class Slice:
    """A half-open part `[start, end)` of the event time, UTC, in whole seconds."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.end - self.start < SHORTEST_SLICE:
            message = f"A slice ends at least one second after it starts; got {self.start} to {self.end}."
            raise ConfigurationError(message)

    @classmethod
    def of_day(cls, day: date) -> Slice:
        """Return the slice that is the whole day."""
        start = datetime.combine(day, time(), UTC)
        return cls(start, start + ONE_DAY)

    @property
    def name(self) -> str:
        """Return a name for object keys: `000000-240000`, times of the day."""
        return f"{_clock_text(self.start)}-{_clock_text(self.end, ends_day=True)}"

    def holds(self, moment: datetime) -> bool:
        """Tell whether the moment lies in the slice."""
        return self.start <= moment < self.end

    def halve(self) -> tuple[Slice, Slice]:
        """Return the two halves, cut at a whole second.

        :raises ConfigurationError: when the slice is too short to be cut.
        """
        middle = self.start + timedelta(seconds=int((self.end - self.start).total_seconds()) // 2)
        return Slice(self.start, middle), Slice(middle, self.end)

    def split(self, parts: int) -> tuple[Slice, ...]:
        """Return that many slices of nearly equal length that together are this one."""
        seconds = int((self.end - self.start).total_seconds())
        cuts = [self.start + timedelta(seconds=seconds * part // parts) for part in range(parts + 1)]
        return tuple(Slice(start, end) for start, end in pairwise(cuts))


def filter_text(stream: Stream, window: Slice) -> str:
    """Return Graph's `$filter` for the slice: `ge` its start and `lt` its end."""
    bounds = f"{stream.time_field} ge {iso(window.start)} and {stream.time_field} lt {iso(window.end)}"
    return f"{stream.extra_filter} and {bounds}" if stream.extra_filter else bounds


def iso(moment: datetime) -> str:
    """Return `2026-11-22T06:00:00Z`: a moment as Graph's filters and our documents write it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_day(text: str) -> date:
    """Return the day that `2026-11-22` names.

    :raises ConfigurationError: when it names none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is not a day. Write it as YYYY-MM-DD, such as 2026-11-22."
        raise ConfigurationError(message) from None


def day_range(first: date, last: date) -> list[date]:
    """Return all days from the first to the last, both included."""
    return [first + ONE_DAY * count for count in range((last - first).days + 1)]


def check_day(day: date, now: datetime, retention_days: int) -> None:
    """Refuse a day that Graph cannot answer for.

    :raises FutureDayError: when the day has not begun.
    :raises RetentionError: when it is older than Graph keeps: Graph refuses the whole query then.
    """
    today = now.astimezone(UTC).date()
    if day > today:
        message = f"{day} has not begun: it is {iso(now)}. Choose {today - ONE_DAY} or an earlier day."
        raise FutureDayError(message)
    if now >= end_of_retention(day, retention_days):
        message = (
            f"{day} is older than the {retention_days} days that Microsoft keeps; the oldest day that can still be "
            f"read is {today - timedelta(days=retention_days)}. What the lake holds of {day} is untouched."
        )
        raise RetentionError(message)


def end_of_retention(day: date, retention_days: int) -> datetime:
    """Return the first moment at which Graph refuses the day: it counts whole days, and today as one more."""
    return datetime.combine(day + timedelta(days=retention_days + 1), time(), UTC)


def _clock_text(moment: datetime, *, ends_day: bool = False) -> str:
    text = moment.strftime("%H%M%S")
    return "240000" if ends_day and text == "000000" else text
