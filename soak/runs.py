"""A run of one day: the tasks in their order, each tried again as Airflow does, with whatever goes wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from http import HTTPStatus
from random import Random

from entra_lake.checkpoints import Checkpoints
from entra_lake.errors import EntraLakeError, RetryableError, ThrottledError
from entra_lake.extract import extract
from entra_lake.load import Staged, load, transform
from entra_lake.schema import Stream
from entra_lake.tables import prepare, repair_partitions
from entra_lake.verify import verify
from soak.faults import KILLS, NO_STAGING, STOPPED, TWO_RUNS
from soak.ledger import Ledger
from soak.mischief import Mischief
from soak.stores import Crash, Meanwhile, ProcessGone, Steering
from soak.world import World

TRIES = 3
RETRY_SECONDS = 300.0
#: A pause that a task waits for within its run; for a longer one the run fails, and the day is due again.
LONGEST_PAUSE_SECONDS = 7200.0
STEPS = ("extract", "transform", "load", "repair", "verify")
#: The share of processes that nobody starts again: the day waits until it is due.
ABANDONED = 0.3
#: How long a process that was stopped (SIGSTOP) stands still.
STOPPED_SECONDS = 600.0


@dataclass
class Tally:
    """What the runs did."""

    passes: int = 0
    runs: int = 0
    failed: int = 0
    requests: int = 0
    throttled: int = 0
    errors: Counter[str] = field(default_factory=Counter)


@dataclass
class Workshop:
    """What all runs share."""

    world: World
    mischief: Mischief
    ledger: Ledger
    random: Random
    tally: Tally = field(default_factory=Tally)

    def prepare(self, fault: str | None = None) -> bool:
        """Do what a DAG run does first; tell whether it came to an end."""
        if fault:
            self.mischief.switch_on(fault)
        done = self.persist(lambda: prepare(self.world.open()))
        self.mischief.calm()
        return done

    def count_requests(self) -> None:
        """Count what Graph was asked since the last time."""
        asked = self.world.cloud.tenant.graph.requests
        self.tally.requests += len(asked)
        self.tally.throttled += sum(item["status"] == HTTPStatus.TOO_MANY_REQUESTS for item in asked)
        asked.clear()

    def persist(self, act: Callable[[], object]) -> bool:
        """Do a task, and again when that may help; tell whether it was done in the end."""
        for _ in range(TRIES):
            try:
                act()
            except RetryableError as error:
                self.tally.errors[type(error).__name__] += 1
                pause = error.retry_after if isinstance(error, ThrottledError) else RETRY_SECONDS
                if pause > LONGEST_PAUSE_SECONDS:
                    return False
                self.world.wait(pause)
            except EntraLakeError as error:
                self.tally.errors[type(error).__name__] += 1
                return False
            else:
                return True
        return False


class DayRun:
    """One run of one day of one stream."""

    def __init__(self, shop: Workshop, stream: Stream, day: date, run_id: str) -> None:
        self.shop = shop
        self.stream = stream
        self.day = day
        self.run_id = run_id
        self._steering = Steering()
        self._lake = shop.world.open(self._steering)
        self._staged: Staged | None = None

    def go(self, fault: str | None = None) -> bool:
        """Take the day from the listing to the manifest; tell whether that came to an end.

        :param fault: what goes wrong on the way.
        """
        self.shop.tally.runs += 1
        if fault:
            self._arm(fault)
        done = all(self._persist(step) for step in STEPS)
        self.shop.ledger.give_up((self.stream, self.day), self.run_id, self.shop.world.ticks)
        self.shop.mischief.calm()
        self.shop.tally.failed += not done
        self.shop.count_requests()
        return done

    def _arm(self, fault: str) -> None:
        random = self.shop.random
        meanwhile = {TWO_RUNS: self._overtake, STOPPED: self._stand_still, NO_STAGING: self._delete_staging}
        if fault in KILLS:
            self._steering.crash = Crash(*KILLS[fault])
        elif fault in meanwhile:
            self._steering.meanwhile = Meanwhile(random.randint(1, 40), meanwhile[fault])
        else:
            self.shop.mischief.switch_on(fault)

    def _overtake(self, name: str = TWO_RUNS) -> None:
        self.shop.mischief.injected[name] += 1
        DayRun(self.shop, self.stream, self.day, f"{self.run_id} again").go()

    def _stand_still(self) -> None:
        self.shop.world.wait(STOPPED_SECONDS)
        self._overtake(STOPPED)

    def _delete_staging(self) -> None:
        self.shop.mischief.injected[NO_STAGING] += self.shop.world.delete("staging/") > 0

    def _persist(self, step: str) -> bool:
        act: Callable[[], object] = getattr(self, f"_{step}")
        while True:
            try:
                return self.shop.persist(act)
            except ProcessGone:
                self.shop.mischief.injected[str(self._steering.crash)] += 1
                self._lake = self.shop.world.open(Steering())
                if self.shop.random.random() < ABANDONED:
                    return False
                self.shop.world.wait(RETRY_SECONDS)

    def _extract(self) -> None:
        shop, key = self.shop, (self.stream, self.day)
        began = shop.world.ticks
        attempt = shop.ledger.begin(key, self.run_id, began, shop.mischief.cut_listings)
        known = {item.pass_id for item in Checkpoints(self._lake.store, self.stream, self.day).completed()}
        report = extract(self._lake, self.stream, self.day, self.run_id)
        if report.pass_id not in known:
            shop.ledger.finish(key, attempt, report.pass_id, shop.world.ticks, shop.mischief.cut_listings)
            attempt.is_whole &= not any(piece.failed for piece in report.slices)
            shop.tally.passes += 1
        elif attempt.began == began:
            shop.ledger.forget(key, attempt)

    def _transform(self) -> None:
        self._staged = transform(self._lake, self.stream, self.day)

    def _load(self) -> None:
        if self._staged:
            load(self._lake, self.stream, self.day, self._staged)

    def _repair(self) -> None:
        repair_partitions(self._lake, self.stream, self.day)

    def _verify(self) -> None:
        verify(self._lake, self.stream, self.day)
