"""Weeks of a lake's life: the daily run, the re-readings that are due, outages, and a lively tenant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from random import Random

from entra_lake.due import due, lost_days
from entra_lake.holdings import read_facts
from entra_lake.lake_facts import FIRST_READING_AT, LakeFacts
from entra_lake.layout import LAKE_KEY
from entra_lake.manifest import Manifest
from entra_lake.reconcile import MOST_READINGS, find_due
from entra_lake.schema import Stream
from entra_lake.slices import ONE_DAY
from entra_lake.streams import get_stream
from soak.audit import Auditor, ManifestReader
from soak.ledger import Key, Ledger
from soak.mischief import Deck, Mischief
from soak.runs import DayRun, Workshop
from soak.tenant import Troublemaker
from soak.world import World

#: The hour of the daily run, and the minute of every hour at which what is due is paid (`dags/`).
DAILY_AT = time(6, tzinfo=UTC)
RECONCILE_MINUTE = 30
#: When the tenant gets lively, and how often it does something odd then.
TROUBLE_HOUR = 22
TROUBLES = 4
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
#: The chances, per day, that Airflow's database is wiped, and that somebody runs a day by hand.
WIPED = 0.04
BY_HAND = 0.1


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
    #: days whose newest reading nobody has made, when all was given time to settle
    unpaid: list[tuple[str, date]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.mischief = Mischief(self.world, self.random)
        retention = self.world.settings.retention_days
        self._outages = [hours for hours in OUTAGE_HOURS if hours < LONGEST_OUTAGE * 24 * retention]
        self.ledger = Ledger()
        self.shop = Workshop(self.world, self.mischief, self.ledger, self.random)
        self.auditor = Auditor(self.world, self.ledger)
        self._manifests = ManifestReader(self.world)
        self._deck = Deck(self.random, self.only)
        self._trouble = Troublemaker(self.world, self.random, self.mischief.injected)
        self._down_until = self.world.now
        self._first_day = self.world.today
        #: how often Airflow's database was wiped: run ids begin anew
        self._wiped = 0

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
        midnight = datetime.combine(today, time(tzinfo=UTC))
        for hour in range(24):
            self.world.wait_until(midnight + timedelta(hours=hour))
            if hour == TROUBLE_HOUR:
                for _ in range(TROUBLES):
                    self._trouble.make()
            if self.world.now >= self._down_until:
                self._live_an_hour(today, hour)

    def _live_an_hour(self, today: date, hour: int) -> None:
        if hour == DAILY_AT.hour:
            self._run([(stream, today - ONE_DAY) for stream in self._streams()], f"scheduled__{today}")
        if hour == DAILY_AT.hour + 1:
            self._meddle(today)
        self.world.wait_until(datetime.combine(today, time(hour, RECONCILE_MINUTE, tzinfo=UTC)))
        self.reconcile(f"reconcile__{today}T{hour:02d}")

    def _meddle(self, today: date) -> None:
        """Let somebody wipe Airflow's database, which forgets that it has run today, or run a day by hand."""
        if self.random.random() < WIPED:
            self._wiped += 1
            self.mischief.injected["Airflow's database wiped"] += 1
            self._run([(stream, today - ONE_DAY) for stream in self._streams()], f"scheduled__{today}")
        if self.random.random() < BY_HAND:
            self.mischief.injected["run by hand"] += 1
            day = today - self.random.randint(1, self.world.settings.retention_days - 2) * ONE_DAY
            self._run([(self.random.choice(self._streams()), day)], f"manual__{self.world.now:%Y-%m-%dT%H:%M}")

    def reconcile(self, run_id: str) -> int:
        """Pay what is due, as far as one run may; return how many days that were.

        What the hourly DAG asks the library costs a request per day of the lake. So it is asked only when the same
        function `due`, over manifests that are known here, names something; both must then name the same days.
        """
        facts = self._facts()
        known = due(self.world.now, self._manifests.read(), facts) if facts else []
        if not known:
            return 0
        plan = find_due(self.world.open())
        named = [(item.stream, item.day) for item in (*plan.kept, *plan.left)]
        if named != [(item.stream, item.day) for item in known] or len(plan.kept) > MOST_READINGS:
            message = f"{run_id} would read {plan.kept} and leave {plan.left}, while {known} are due."
            raise RuntimeError(message)
        self._run([(get_stream(item.stream), item.day) for item in plan.kept], run_id)
        return len(plan.kept)

    def _run(self, keys: list[Key], run_id: str) -> None:
        """Run days one after the other, each as a run of its own tasks."""
        if not self.shop.prepare(self._fault(share=self.faulty / 4)):
            return
        for stream, day in keys:
            fault = self._fault(share=self.faulty)
            before = self.mischief.injected[fault] if fault else 0
            DayRun(self.shop, stream, day, f"{run_id}.{self._wiped}").go(fault)
            if fault and self.mischief.injected[fault] == before:
                self._deck.put_back(fault)
        self._manifests.forget()

    def _fault(self, share: float) -> str | None:
        return self._deck.draw() if self.random.random() < share else None

    def _break_down(self, hours: int) -> None:
        """Stop the scheduler, unless it has stopped a short while ago: too much at once would lose days."""
        if self.outages and self.world.now < self._down_until + self.outages[-1]:
            return
        self._down_until = self.world.now + timedelta(hours=hours)
        self.outages.append(timedelta(hours=hours))
        self.mischief.injected["outage"] += 1

    def _settle(self) -> None:
        """Let nothing go wrong any more, pay everything, and read once more what was last read in trouble."""
        self.faulty = 0.0
        self.world.wait_until(max(self._down_until, self.world.now) + timedelta(hours=12))
        for number in range(20):
            if not self.reconcile(f"settle {number}") and self.world.now.time() > FIRST_READING_AT.replace(tzinfo=None):
                break
            self.world.wait(5 * 3600)
        facts, manifests = self._facts(), self._manifests.read()
        self.unpaid = self._find_unpaid(manifests, facts)
        oldest = self.world.today - timedelta(days=facts.retention_days if facts else 0)
        for key in [key for key in self.ledger.attempts if key[1] >= oldest]:
            manifest = manifests.get((key[0].name, key[1]))
            if not manifest or not self.ledger.last_clean(key, manifest.pass_ids):
                DayRun(self.shop, *key, "last look").go()
        self._manifests.forget()

    def _find_unpaid(
        self, manifests: Mapping[tuple[str, date], Manifest], facts: LakeFacts | None
    ) -> list[tuple[str, date]]:
        """Return the days that were not read since their newest age has come, by a rule that asks nobody's `due`."""
        if facts is None:
            return []
        newest = {
            self.world.today - age * ONE_DAY: max(reached for reached in facts.ages if reached <= age)
            for age in range(1, facts.retention_days)
        }
        return [
            (stream.name, day)
            for stream in self._streams()
            for day, age in newest.items()
            if not _is_read_since(manifests.get((stream.name, day)), day + age * ONE_DAY)
        ]

    def _facts(self) -> LakeFacts | None:
        lake = self.world.open()
        return read_facts(lake) if lake.store.look(LAKE_KEY) else None

    def _streams(self) -> tuple[Stream, ...]:
        return self.world.open().streams


def _is_read_since(manifest: Manifest | None, day: date) -> bool:
    """Tell whether a complete pass was begun on that day or later."""
    return manifest is not None and any(str(item["started_at"]) >= f"{day}" for item in manifest.passes)
