"""A lake's coverage as text: a grid with one letter per stream and day, a legend, and one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import groupby

from entra_lake.coverage import Coverage, DayCoverage
from entra_lake.day_state import State
from entra_lake.due import SAFE

#: What each state is called in the grid.
LETTERS = {
    State.SEALED: "S",
    State.SETTLED: "s",
    State.OPEN: "o",
    State.MISSING: "M",
    State.PARTIAL: "P",
    State.LOST: "X",
    State.BEFORE: ".",
}
#: A day that is safe but for a reading that is overdue.
OVERDUE = "!"
LEGEND = (
    "S sealed   s settled   o open: to be read again   . before the lake",
    "M missing: not read   P partial   X lost   ! a reading is overdue",
)
_MOST_NAMED = 8


def grid(found: Coverage) -> str:
    """Return a line per stream and a column per day, oldest day on the left, under the days' months and numbers."""
    width = max(len(name) for name in found.streams)
    margin = " " * (width + 2)
    lines = [
        margin + _months(found.days),
        *(margin + "".join(f"{day.day:02}"[place] for day in found.days) for place in (0, 1)),
        *(
            f"{name:<{width}}  " + "".join(letter(found.rows[name, day]) for day in found.days)
            for name in found.streams
        ),
    ]
    return "\n".join(line.rstrip() for line in lines)


def letter(row: DayCoverage) -> str:
    """Return the letter of a stream and day."""
    return OVERDUE if row.is_overdue and row.state in SAFE else LETTERS[row.state]


def sentence(found: Coverage) -> str:
    """Return what it adds up to: `30 of 30 days safe · next expiry in 41 h · nothing is due`."""
    hours = found.next_expiry_hours
    parts = [
        f"{len(found.safe_days)} of {len(found.days_in_scope)} days safe",
        "" if hours is None else f"next expiry in {hours:.0f} h",
        _due(found),
        _named("missing", found.having(State.MISSING)),
        _named("partial", found.having(State.PARTIAL)),
        _named("lost", found.having(State.LOST)),
        _named("without a middle reading, for which the request budget was too small", found.dropped()),
        _overload(found),
    ]
    return " · ".join(part for part in parts if part)


def _due(found: Coverage) -> str:
    if not found.due:
        return "nothing is due"
    readings = "1 reading is" if len(found.due) == 1 else f"{len(found.due)} readings are"
    return f"{readings} due, about {found.requests_due:,} requests or {found.hours_due:.1f} h"


def _overload(found: Coverage) -> str:
    if found.load > 1:
        return f"OVERLOADED: readings take {found.load:.0%} of the request budget; middle ones are dropped"
    return "OVERLOADED: what is due takes more than a day of requests" if found.is_overloaded else ""


def _named(what: str, rows: Sequence[DayCoverage]) -> str:
    if not rows:
        return ""
    named = [f"{row.stream} {row.day}" for row in rows[:_MOST_NAMED]]
    more = [f"and {len(rows) - _MOST_NAMED} more"] if len(rows) > _MOST_NAMED else []
    return f"{len(rows)} {what}: {', '.join([*named, *more])}"


def _months(days: Sequence[date]) -> str:
    """Return the names of the months above their first day; a month that shows too few days has none."""
    line = ""
    for month, group in groupby(days, key=lambda day: day.strftime("%b")):
        number = len(list(group))
        line += f"{month if number > len(month) else '':<{number}}"
    return line
