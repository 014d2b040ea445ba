"""The days that a page asks about: bounded, so that no page runs an unbounded scan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from fastapi import HTTPException, status

from entra_lake.errors import ConfigurationError
from entra_lake.slices import ONE_DAY, parse_day

#: A page asks about at most so many days at once.
MOST_DAYS = 92
#: Days that a lake can hold; their neighbours exist, too.
EARLIEST, LATEST = date(1970, 1, 1), date(2999, 12, 31)
#: What it shows without being asked.
USUAL_DAYS = 7


@dataclass(frozen=True)
class Period:
    """Days, both ends included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """Return how many days these are."""
        return (self.last - self.first).days + 1

    def each(self) -> list[date]:
        """Return all of them, the oldest first."""
        return [self.first + ONE_DAY * number for number in range(self.days)]

    def ending(self, days: int) -> Period:
        """Return the period of so many days that ends with this one."""
        return Period(self.last - ONE_DAY * (days - 1), self.last)


def day_of(text: str) -> date:
    """Return the day that a text names.

    :raises ConfigurationError: when it names none, or one that no lake can hold.
    """
    day = parse_day(text)
    if not EARLIEST <= day <= LATEST:
        message = f"{day} is no day that a lake can hold."
        raise ConfigurationError(message)
    return day


def period_of(first: str, last: str, now: datetime) -> Period:
    """Return the period that an address names; the last week without one.

    :raises HTTPException: 400 when it names none, or one that is too long.
    """
    try:
        end = day_of(last) if last else now.date()
        begin = day_of(first) if first else end - timedelta(days=USUAL_DAYS - 1)
    except ConfigurationError as error:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, error.message) from error
    period = Period(begin, end)
    if not 1 <= period.days <= MOST_DAYS:
        message = f"{begin} to {end} are {period.days} days. Choose 1 to {MOST_DAYS} days, the earlier one first."
        raise HTTPException(status.HTTP_400_BAD_REQUEST, message)
    return period
