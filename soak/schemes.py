"""Ways to read a tenant's log: those that other collectors use, and this one; each asks the simulated tenant itself.

What a question may say, what its listing shows and which of its rows are silently missing is the tenant's own code
(`sandbox/tenant/`), called without a network in between. When a day is read again is the library's own `due`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Protocol

from entra_lake.due import affordable, due, estimate_requests
from entra_lake.lake_facts import LakeFacts
from entra_lake.layout import pass_id
from entra_lake.manifest import Manifest, add_passes
from entra_lake.passes import PassReport, SliceReport, summarise
from entra_lake.reconcile import MOST_READINGS
from entra_lake.schema import Stream
from entra_lake.slices import ONE_DAY, Slice, filter_text, iso
from sandbox import ticks
from sandbox.tenant.faults import Fault
from sandbox.tenant.listing import Listing
from sandbox.tenant.page_faults import spoil_listing
from sandbox.tenant.queries import Call, read_query
from sandbox.tenant.records import Records
from sandbox.tenant.versions import Seen
from sandbox.web import Request

#: Requests that this lake's hourly run may take: five in ten seconds, for three hours.
_MOST_REQUESTS = 5_400


@dataclass
class Desk:
    """Where a scheme asks the tenant.

    :param short: the share of listings of which a part is silently missing, at the end of what was asked for.
    :param held: id to the content that the scheme read last.
    """

    records: Records
    stream: Stream
    retention_days: int
    short: float
    random: Random
    now: datetime
    held: dict[str, bytes] = field(default_factory=dict)
    listings: int = 0

    def ask(self, condition: str, *, ascending: bool = False) -> list[Seen]:
        """Return what a listing of this `$filter` shows, to its last page."""
        field_name = self.stream.time_field
        order = f"{field_name} {'asc' if ascending else 'desc'}"
        request = Request("GET", self.stream.path, "", {}, b"")
        call = Call(request, "", "", (("$filter", condition), ("$orderby", order)))
        now = ticks.from_datetime(self.now)
        listing = Listing(read_query(call, self.stream, now, self.retention_days, live=False), self.records)
        listing.begin(now)
        if self.random.random() < self.short:
            share = self.random.uniform(0.05, 0.5)
            spoil_listing(Fault.read({"kind": "short_listing", "share": share, "where": "suffix"}), listing, now)
        self.listings += 1
        rows = list(_rows(listing, now))
        self.held.update((row.id, row.body) for row in rows)
        return rows


def _rows(listing: Listing, now: int) -> Iterator[Seen]:
    offset: int | None = 0
    while offset is not None:
        page = listing.page(offset, now)
        yield from page.rows
        offset = page.next_offset


class Scheme(Protocol):
    """When a collector asks, and for what.

    :param every: the time between two turns; the first is at `first_at` of the first day.
    """

    name: str
    first_at: timedelta
    every: timedelta

    def turn(self, desk: Desk) -> None:
        """Ask what is to be asked now."""


@dataclass
class Once:
    """Each day is read once, the day after."""

    name: str
    first_at: timedelta
    lower: str = "ge"
    every: timedelta = ONE_DAY

    def turn(self, desk: Desk) -> None:
        """Ask for yesterday."""
        today = desk.now.date()
        time_field = desk.stream.time_field
        desk.ask(f"{time_field} {self.lower} {_midnight(today - ONE_DAY)} and {time_field} lt {_midnight(today)}")


@dataclass
class Trailing:
    """The last days are read again every day."""

    days: int
    first_at: timedelta = timedelta(hours=6)
    every: timedelta = ONE_DAY

    @property
    def name(self) -> str:
        """Name the scheme."""
        return f"trailing {self.days} days, 06:00"

    def turn(self, desk: Desk) -> None:
        """Ask for each of the last days."""
        for age in range(1, self.days + 1):
            desk.ask(filter_text(desk.stream, Slice.of_day(desk.now.date() - age * ONE_DAY)))


@dataclass
class HighWater:
    """Whatever is newer than the newest record so far is read, all but the last minutes."""

    delay: timedelta = timedelta(seconds=420)
    first_at: timedelta = timedelta(minutes=5)
    every: timedelta = timedelta(minutes=5)
    mark: int | None = None

    @property
    def name(self) -> str:
        """Name the scheme."""
        return f"high-water mark, every 5 min, {self.delay.total_seconds():.0f} s behind"

    def turn(self, desk: Desk) -> None:
        """Ask for what is newer than the mark, oldest first, and move the mark."""
        oldest = ticks.start_of(desk.now.date() - desk.retention_days * ONE_DAY)
        mark = max(oldest, ticks.from_datetime(desk.now - ONE_DAY) if self.mark is None else self.mark)
        until = iso((desk.now - self.delay).replace(microsecond=0))
        field_name = desk.stream.time_field
        rows = desk.ask(f"{field_name} gt {ticks.iso(mark)} and {field_name} le {until}", ascending=True)
        self.mark = max([mark, *(row.ticks for row in rows)])


@dataclass
class ThisOne:
    """Yesterday at 06:00; then, every hour, whatever the library's `due` names."""

    facts: LakeFacts
    name: str = "this one: due, at ages 1, 2, 4, 8, 16, 27"
    first_at: timedelta = timedelta(hours=6)
    every: timedelta = timedelta(hours=1)
    manifests: dict[tuple[str, date], Manifest] = field(default_factory=dict)

    def turn(self, desk: Desk) -> None:
        """Read yesterday in the morning, and what is due."""
        if desk.now.hour == self.first_at.seconds // 3600:
            self._read(desk, desk.now.date() - ONE_DAY)
        dues = due(desk.now, self.manifests, self.facts)
        kept, _ = affordable(dues, _MOST_REQUESTS, estimate_requests(self.manifests), most=MOST_READINGS)
        for item in kept:
            self._read(desk, item.day)

    def _read(self, desk: Desk, day: date) -> None:
        """Read a day, and note in its manifest what the library notes."""
        key, window, before = (desk.stream.name, day), Slice.of_day(day), dict(desk.held)
        known = self.manifests.get(key)
        rows = {row.id: row for row in desk.ask(filter_text(desk.stream, window))}
        piece = SliceReport(
            start=window.start.isoformat(),
            end=window.end.isoformat(),
            pages=1,
            listed=len(rows),
            ids=len(rows),
            new=sum(name not in before for name in rows),
            changed=sum(name in before and before[name] != row.body for name, row in rows.items()),
            missing=len(self._ids_of(day) - rows.keys()),
        )
        self._ids_of(day).update(rows)
        report = PassReport(
            pass_id=pass_id(desk.now, "scheme"),
            run_id="scheme",
            started_at=iso(desk.now),
            start=iso(window.start),
            end=iso(window.end),
            finished_at=iso(desk.now),
            slices=(piece,),
        )
        self.manifests[key] = Manifest(
            stream=desk.stream.name,
            day=str(day),
            tenant_id=self.facts.tenant_id,
            committed_at=iso(desk.now),
            retention_days=self.facts.retention_days,
            passes=add_passes(known.passes if known else (), [summarise(report)]),
            object={},
            athena={},
            reread_ages=self.facts.reread_ages,
        )

    _days: dict[date, set[str]] = field(default_factory=dict)

    def _ids_of(self, day: date) -> set[str]:
        return self._days.setdefault(day, set())


def _midnight(day: date) -> str:
    return iso(datetime.combine(day, time(tzinfo=UTC)))
