"""What somebody must hear of before records are lost: pure, from a lake's coverage."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from entra_lake.coverage import Coverage, DayCoverage
from entra_lake.day_state import State

#: A day that is unread or partial is mailed about when Microsoft still has it for so many hours, and again.
WARN_HOURS = (48, 12)


class Kind(StrEnum):
    """What is the matter. The words are those of a mail's subject."""

    OVERDUE = "overdue"  # a reading has been owed for longer than the hourly runs explain
    ENDANGERED = "endangered"  # unread or partial, and Microsoft soon deletes the day
    LOST = "lost"  # aged out without a complete pass
    RETENTION = "retention"  # Graph keeps the stream for less than the setting says


#: After this time the same is mailed again as long as it lasts; kinds without one are mailed once.
QUIET: Mapping[Kind, timedelta] = {Kind.OVERDUE: timedelta(hours=24)}


@dataclass(frozen=True, kw_only=True)
class Concern:
    """One thing that somebody must hear of.

    :param key: what makes it this concern and no other; whoever was told of the key was told of it.
    :param words: a line for a mail or a terminal.
    """

    kind: Kind
    key: str
    stream: str
    words: str
    day: date | None = None


def concerns(
    found: Coverage, lost: Collection[tuple[str, date]], named_retention: Mapping[str, int] | None = None
) -> list[Concern]:
    """Return what somebody must hear of: by kind, the most urgent kind first; of each, oldest day first.

    :param found: at least the days that Microsoft still has.
    :param lost: streams and days that have aged out without a complete pass.
    :param named_retention: by stream, the days that Graph keeps where they are fewer than the setting says.
    """
    return [
        *_endangered(found),
        *(
            Concern(
                kind=Kind.LOST,
                key=f"lost {stream} {day}",
                stream=stream,
                day=day,
                words=f"{stream} {day}: Microsoft has deleted the day, and it was never read completely",
            )
            for stream, day in lost
        ),
        *(
            Concern(
                kind=Kind.RETENTION,
                key=f"retention {stream} {days}",
                stream=stream,
                words=f"{stream}: Graph keeps {days} days, fewer than retention_days in include/lakes.yaml",
            )
            for stream, days in sorted((named_retention or {}).items())
        ),
        *(
            Concern(
                kind=Kind.OVERDUE,
                key=f"overdue {row.stream} {row.day}",
                stream=row.stream,
                day=row.day,
                words=f"{row.stream} {row.day}: {_owed(row)}, and Microsoft has it for {row.hours_to_expiry:.0f} h",
            )
            for row in found.overdue()
        ),
    ]


def _endangered(found: Coverage) -> Iterator[Concern]:
    for row in found.having(State.MISSING, State.PARTIAL):
        # A day that has only just become due, in a new lake or after an outage, is being read this very hour.
        waits = row.state is State.MISSING and not row.is_overdue
        stages = [hours for hours in WARN_HOURS if 0 < row.hours_to_expiry <= hours]
        if stages and not waits:
            what = "never read" if row.state is State.MISSING else f"without {', '.join(row.failed)}"
            yield Concern(
                kind=Kind.ENDANGERED,
                key=f"endangered {row.stream} {row.day} {stages[-1]}",
                stream=row.stream,
                day=row.day,
                words=f"{row.stream} {row.day}: {what}, and Microsoft deletes it in {row.hours_to_expiry:.0f} h",
            )


def _owed(row: DayCoverage) -> str:
    return "never read" if row.state is State.MISSING else f"a reading is owed ({row.reason})"
