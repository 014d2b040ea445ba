"""At which ages a day is read: a plan of days after the event, from the setting and the retention."""

from __future__ import annotations

from collections.abc import Iterable

#: Ages, in days, at which a day is read where Microsoft keeps it for 30 days.
DEFAULT_AGES = (1, 2, 4, 8, 16, 27)
#: Where it is kept for less, what comes before the last reading: closer together, as there is less time to heal.
_CLOSER_AGES = (1, 2, 3, 5, 8, 16)


def default_ages(retention_days: int) -> tuple[int, ...]:
    """Return the ages, in days, at which a day is read: 1, 2, 4, 8, 16, 27; and 1, 2, 3, 5, 6 of 7 days."""
    if retention_days > DEFAULT_AGES[-1]:
        return DEFAULT_AGES
    last = max(1, retention_days - 1)
    return (*(age for age in _CLOSER_AGES if age < last), last)


def planned_ages(wanted: Iterable[int], retention_days: int) -> tuple[int, ...]:
    """Return the ages, in days, at which a day is read: the wanted ones, in order, and the first at age 1.

    A plan that reaches beyond retention gives way to the default of that retention: leaving its last
    ages out would leave the days before expiry without a reading.
    """
    ages = sorted({1, *wanted})
    return tuple(ages) if ages[0] >= 1 and ages[-1] < max(2, retention_days) else default_ages(retention_days)
