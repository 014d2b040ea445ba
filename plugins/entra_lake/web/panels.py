"""Panels: one question to Athena each, with its chart, its table, its SQL and its file to download.

A panel is data: the SQL file that asks, what of its answer is drawn, and where its cells lead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from markupsafe import Markup

from entra_lake.errors import EntraLakeError
from entra_lake.sql import render
from entra_lake.web.charts import OUTCOME_COLOURS, bars_over_time, ranking
from entra_lake.web.lake_reader import Asked, LakeReader, is_absent
from entra_lake.web.periods import Period

#: What questions may be narrowed to; each is a parameter of addresses and a placeholder in SQL files.
FILTERS = ("user", "application", "address", "event_id", "text")
#: Rows of a table that a page shows; the file to download has all.
SHOWN_ROWS = 12
#: What a panel says before the first run has made its tables.
ABSENT = "Nothing is in the lake yet: its tables are made by the first run."
_DRAWN_BARS = 10
#: Questions that a page asks at one time: Athena runs them side by side.
_AT_ONCE = 8


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One question.

    :param name: of the file in include/sql/dashboards/, and of the panel in addresses.
    :param streams: the lake must have them; else the panel says so.
    :param label: the answer's column that names a bar; none: no chart.
    :param value: the answer's column that is its length.
    :param links: column to what it names: `user`, `address`, `application`, `event`, `finding` or `rule`.
    :param hides: columns of the answer that the page leaves out; the file to download has them.
    :param note: what the panel cannot show.
    :param leads_to: a page that tells more of the same days and filters, and the words of its link.
    :param is_timeline: newest first; the page asks only as many days as fill its table.
    :param is_wide: its table needs the page's whole width.
    """

    name: str
    title: str
    streams: tuple[str, ...] = ("sign_ins",)
    label: str = ""
    value: str = "successes"
    links: Mapping[str, str] = field(default_factory=dict)
    hides: tuple[str, ...] = ()
    note: str = ""
    is_over_time: bool = False
    is_wide: bool = False
    is_timeline: bool = False
    leads_to: tuple[str, str] = ("", "")
    rows: int = SHOWN_ROWS


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A panel and its answer, or the reason why there is none.

    :param since: the day from which on a timeline was asked, where that is not the whole period.
    """

    panel: Panel
    asked: Asked | None = None
    chart: Markup | None = None
    trouble: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    since: date | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the answer's columns that the page shows."""
        return tuple(name for name in self.asked.answer.columns if name not in self.panel.hides) if self.asked else ()

    @property
    def shown_rows(self) -> Sequence[Mapping[str, str | None]]:
        """Return the rows that the page shows."""
        return self.asked.rows[: self.panel.rows] if self.asked else ()

    @property
    def more_rows(self) -> int:
        """Return how many rows the page leaves out."""
        return max(0, len(self.asked.rows) - self.panel.rows) if self.asked else 0


def ask_panels(reader: LakeReader, panels: Iterable[Panel], period: Period, filters: Mapping[str, str]) -> list[Shown]:
    """Ask all questions side by side and draw the answers, in the order of the panels.

    :param filters: such as `user` and `application`; empty ones are left out.
    """
    given, wanted = {name: value for name, value in filters.items() if value}, list(panels)
    others = [panel for panel in wanted if not panel.is_timeline]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        shown = list(pool.map(lambda panel: ask_panel(reader, panel, period, given), others))
    shown += [_ask_timeline(reader, panel, period, given, shown) for panel in wanted if panel.is_timeline]
    found = {item.panel.name: item for item in shown}
    return [found[panel.name] for panel in wanted]


def _ask_timeline(
    reader: LakeReader, panel: Panel, period: Period, filters: Mapping[str, str], others: Sequence[Shown]
) -> Shown:
    """Ask for the newest records only: their columns are the lake's largest, and what is shown fits into few days."""
    first = newest_days([shown for shown in others if shown.panel.is_over_time], panel.rows, period)
    found = ask_panel(reader, panel, Period(first, period.last), filters)
    query = {**found.query, "first": str(period.first)}
    return replace(found, query=query, since=first if first != period.first else None)


def newest_days(counted: Sequence[Shown], rows: int, period: Period) -> date:
    """Return the first of the newest days that together hold as many rows, by the chart of sign-ins a day."""
    counts: Counter[str] = Counter()
    for shown in counted:
        for row in shown.asked.rows if shown.asked else ():
            counts[str(row["day"])] += int(row["sign_ins"] or 0)
    for day in reversed(period.each()):
        rows -= counts[str(day)]
        if rows <= 0:
            return day
    return period.first


def ask_panel(reader: LakeReader, panel: Panel, period: Period, filters: Mapping[str, str]) -> Shown:
    """Ask one question; what goes wrong is the panel's trouble, not the page's."""
    query = {"lake": reader.settings.name, "first": str(period.first), "last": str(period.last), **filters}
    missing = [name for name in panel.streams if name not in reader.settings.streams]
    if missing:
        return Shown(panel=panel, trouble=f"This lake does not collect {', '.join(missing)}.", query=query)
    try:
        asked = reader.ask(statement_of(panel, reader, period, filters))
        return Shown(panel=panel, asked=asked, chart=_draw(panel, asked, period), query=query)
    except EntraLakeError as error:
        trouble = ABSENT if is_absent(error) else f"{error.code}: {error.message}"
        return Shown(panel=panel, trouble=trouble, query=query)


def statement_of(panel: Panel, reader: LakeReader, period: Period, filters: Mapping[str, str]) -> str:
    """Return the panel's SQL for this period and these filters.

    :raises ConfigurationError: when a filter's value cannot be asked for.
    """
    return render(
        f"dashboards/{panel.name}.sql",
        database=reader.settings.database,
        first_day=period.first,
        last_day=period.last,
        **filters,
    )


def _draw(panel: Panel, asked: Asked, period: Period) -> Markup | None:
    if not asked.rows:
        return None
    if panel.is_over_time:
        return bars_over_time(
            _outcomes(asked.rows),
            days=[str(day) for day in period.each()],
            series=tuple(OUTCOME_COLOURS),
            colours=OUTCOME_COLOURS,
            title=panel.title,
        )
    if not panel.label:
        return None
    counts: Counter[str] = Counter()
    for row in asked.rows:
        counts[row[panel.label] or "other"] += int(row[panel.value] or 0)
    longest = [{"name": name, "count": number} for name, number in counts.most_common(_DRAWN_BARS) if number]
    return ranking(longest, title=panel.title) if longest else None


def _outcomes(rows: Iterable[Mapping[str, str | None]]) -> list[dict[str, Any]]:
    ranks = {name: number for number, name in enumerate(OUTCOME_COLOURS)}
    return [
        {"day": row["day"], "series": row["outcome"], "count": int(row["sign_ins"] or 0), "rank": ranks[row["outcome"]]}
        for row in rows
        if row["outcome"] in ranks
    ]
