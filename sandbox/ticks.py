"""Instants as Graph counts them: whole numbers of 100 ns since 1970, because a datetime stops at microseconds."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

SECOND = 10_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,7})\d*)?)?(Z|[+-]\d\d:\d\d)?)?",
    re.IGNORECASE,
)


def from_datetime(moment: datetime) -> int:
    """Return the instant of an aware datetime."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 10


def to_datetime(ticks: int) -> datetime:
    """Return the instant as a datetime, cut to microseconds."""
    return _EPOCH + timedelta(microseconds=ticks // 10)


def start_of(day: date) -> int:
    """Return midnight UTC at the beginning of the day."""
    return (day - _EPOCH.date()).days * DAY


def parse(text: str) -> int:
    """Read an ISO 8601 instant with up to seven digits behind the second.

    :raises ValueError: when it is none.
    """
    match = _INSTANT.fullmatch(text)
    if match is None:
        message = f"{text!r} is no ISO 8601 instant"
        raise ValueError(message)
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    moment = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC)
    return from_datetime(moment) + int((fraction or "").ljust(7, "0")) - _zone_offset(zone)


def _zone_offset(zone: str | None) -> int:
    if zone is None or zone in "Zz":
        return 0
    offset = int(zone[1:3]) * HOUR + int(zone[4:6]) * MINUTE
    return -offset if zone[0] == "-" else offset


def iso(ticks: int, digits: int = 7) -> str:
    """Write the instant as Graph does: at most `digits` behind the second, trailing zeros trimmed."""
    seconds, rest = divmod(ticks, SECOND)
    text = to_datetime(seconds * SECOND).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{rest:07d}"[:digits].rstrip("0")
    return f"{text}.{fraction}Z" if fraction else f"{text}Z"
