"""Weeks of a lake's life: the daily run, the re-readings that are due, outages, and a lively tenant."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from random import Random

from entra_lake.due import Due, affordable, due, estimate_requests, lost_days
from entra_lake.lake_facts import LakeFacts
from entra_lake.layout import LAKE_KEY
from entra_lake.schema import Stream
from entra_lake.slices import ONE_DAY
from soak.audit import Auditor, ManifestReader
from soak.faults import Deck, Mischief
from soak.ledger import Key, Ledger
from soak.runs import DayRun, Workshop
from soak.tenant import Troublemaker
from soak.world import World

DAILY_AT = time(6, tzinfo=UTC)
RECONCILE_AT = tuple(time(hour, 30, tzinfo=UTC) for hour in (7, 10, 13, 17, 21))
TROUBLE_AT = time(22, tzinfo=UTC)
#: Days that one reconcile run takes, and the requests that it may need.
MOST_DUE = 12
MOST_REQUESTS = 5_400
#: The share of runs on which something goes wrong.
FAULTY = 0.35
#: The chance of an outage, per day, and the lengths of one in hours.
OUTAGE = 0.08
OUTAGE_HOURS = (3, 9, 20, 30, 54, 100, 216)
#: The longest outage, as a share of Microsoft's retention; as long must pass before the next one.
LONGEST_OUTAGE = 0.4
#: Days without outage at first: a new lake has to fill itself before Microsoft deletes.
FIRST_DAYS = 3
#: Days by which a hopeless outage outlasts the retention.
HOPELESS_DAYS = 3


@dataclass
class Life:
    """One lake from its first day on.

    :param allow_loss: let one outage last longer than Microsoft keeps its logs.
    :param only: classes of faults to leave it at; empty: all of them.
    :param faulty: the share of runs on which something goes wrong.
    """

    world: World
    random: Random
    allow_loss: bool = False
    only: tuple[str, ...] = ()
    faulty: float = FAULTY
    outages: list[timedelta] = field(default_factory=list)
    #: days that aged out, as the library lists them and as the audit finds them
    aged_out: tuple[list[tuple[str, date]], list[tuple[str, date]]] = ([], [])

    def __post_init__(self) -> None:
        retention = self.world.settings.retention_days
        self.mischief = Mischief(self.world.cloud, self.random, retention)
        self._outages = [hours for hours in OUTAGE_HOURS if hours < LONGEST_OUTAGE * 24 * retention]
        self.ledger = Ledger()
        self.shop = Workshop(self.world, self.mischief, self.ledger, self.random)
        self.auditor = Auditor(self.world, self.ledger)
        self._manifests = ManifestReader(self.world)
        self._deck = Deck(self.random, self.only)
        self._trouble = Troublemaker(self.world, self.random)
        self._down_until = self.world.now
        self._first_day = self.world.today

    def live(self, days: int) -> None:
        """Live so many days, audited every week, and settle at the end."""
        hopeless = days // 3 if self.allow_loss else None
        for number in range(days):
            self._live_a_day(self._first_day + number * ONE_DAY)
            if number == hopeless:
                self._break_down((self.world.settings.retention_days + HOPELESS_DAYS) * 24)
            elif number > FIRST_DAYS and self.random.random() < OUTAGE:
                self._break_down(self.random.choice(self._outages))
            if number % 7 == 6:  # noqa: PLR2004 - a week
                self.audit()
        self._settle()
        self.audit()

    def audit(self) -> None:
        """Compare the lake with the truth."""
        facts, manifests = self._facts(), self._manifests.read()
        if facts is None:
            return
        expired = self.world.today - timedelta(days=facts.retention_days)
        days = [facts.collect_from + number * ONE_DAY for number in range((self.world.today - facts.collect_from).days)]
        self.auditor.audit(days, manifests, expired=expired)
        named = sorted(lost_days(self.world.now, manifests, facts))
        found = sorted((key[0].name, key[1]) for key, verdict in self.auditor.verdicts.items() if verdict.aged_out)
        self.aged_out = (named, found)

    def _live_a_day(self, today: date) -> None:
        """Do what is to be done on a day, unless the scheduler is down."""
        for moment in _moments(today):
            self.world.wait_until(moment)
            if moment.timetz() == TROUBLE_AT:
                self._trouble.make()
            elif self.world.now < self._down_until:
                continue
            elif moment.timetz() == DAILY_AT:
                self._run([(stream, today - ONE_DAY) for stream in self._streams()], f"scheduled__{today}")
            else:
                self._reconcile(f"reconcile__{moment:%Y-%m-%dT%H}", most=MOST_DUE)

    def _reconcile(self, run_id: str, most: int | None = None) -> int:
        """Pay what is due, as far as one run may; return how many days were due."""
        dues = self._dues(most)
        names = {stream.name: stream for stream in self._streams()}
        if dues:
            self._run([(names[item.stream], item.day) for item in dues], run_id)
        return len(dues)

    def _dues(self, most: int | None) -> list[Due]:
        facts, manifests = self._facts(), self._manifests.read()
        if facts is None:
            return []
        return affordable(
            due(self.world.now, manifests, facts), MOST_REQUESTS, estimate_requests(manifests, 1), most=most
        )[0]

    def _run(self, keys: list[Key], run_id: str) -> None:
        """Run days one after the other, each as a run of its own tasks."""
        if not self.shop.prepare(self._fault(share=self.faulty / 4)):
            return
        for stream, day in keys:
            DayRun(self.shop, stream, day, run_id).go(self._fault(share=self.faulty))

    def _fault(self, share: float) -> str | None:
        return self._deck.draw() if self.random.random() < share else None

    def _break_down(self, hours: int) -> None:
        """Stop the scheduler, unless it has stopped a short while ago: too much at once would lose days."""
        if self.outages and self.world.now < self._down_until + self.outages[-1]:
            return
        self._down_until = self.world.now + timedelta(hours=hours)
        self.outages.append(timedelta(hours=hours))

    def _settle(self) -> None:
        """Let nothing go wrong any more, pay everything, and read once more what was last read in trouble."""
        self.faulty = 0.0
        self.world.wait_until(max(self._down_until, self.world.now) + timedelta(hours=12))
        for number in range(20):
            if not self._reconcile(f"settle {number}"):
                break
            self.world.wait(5 * 3600)
        facts, manifests = self._facts(), self._manifests.read()
        oldest = self.world.today - timedelta(days=facts.retention_days if facts else 0)
        for key in [key for key in self.ledger.attempts if key[1] >= oldest]:
            manifest = manifests.get((key[0].name, key[1]))
            if not manifest or not self.ledger.last_clean(key, manifest.pass_ids):
                DayRun(self.shop, *key, "last look").go()

    def _facts(self) -> LakeFacts | None:
        found = self.world.open().store.read(LAKE_KEY)
        return LakeFacts.read(json.loads(found[0]), self.world.settings) if found else None

    def _streams(self) -> tuple[Stream, ...]:
        return self.world.open().streams


def _moments(today: date) -> Iterator[datetime]:
    return (datetime.combine(today, moment) for moment in (DAILY_AT, *RECONCILE_AT, TROUBLE_AT))
