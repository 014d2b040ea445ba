"""One request budget per (application, tenant): who may ask Graph, and when.

Graph's reports service allows an application five requests in ten seconds per tenant, counts refused
requests too, and says nothing of its algorithm. So the gate mirrors the strictest reading, a sliding
window, and lets nobody send a sixth request: measured, that uses 98 % of the allowance without one
429, where workers that each wait for their own `Retry-After` block one another for good.

The window lives in a document that all processes share (`budget.py`). A request is written down
before it is sent; whoever loses the race for the write reads again. Threads of one gate pass in the
order in which they came, for the next link of a listing does not live for ever; those that wait for
the same moment are written down together. Where several priorities ask, each of the lower ones gets
one request of a window, which the higher ones leave to it, and they leave the rest to the highest.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

from entra_lake.budget import Budget, BudgetStore, LocalBudget, Priority
from entra_lake.clock import Clock
from entra_lake.errors import ThrottledError

__all__ = ["Budget", "BudgetStore", "Gate", "LocalBudget", "Priority"]

#: Ten seconds and a margin for the network's jitter, in seconds.
WINDOW = 10.1
#: A request that was written down may leave this late, in seconds; the window's margin covers it.
PUNCTUALITY = 0.1
#: The longest lead, in seconds, that a slow store earns; beyond it, late requests are let through.
LONGEST_LEAD = 2.0
#: The longest pause after a lost race, in seconds.
RACE_PAUSE = 0.25
#: Shorter waits, in seconds, may not move a clock that counts microseconds.
SHORTEST_WAIT = 0.001
#: Threads that wake within so many seconds of each other are written down together.
TOGETHER = 0.02
#: Seconds behind its last request for which a priority is taken to want more: a slow page's time.
WANTED_FOR = 20.0


class Gate:
    """Let requests pass at the pace that Graph allows; safe for threads and, with a shared store, processes.

    :param budget: where the shared document lives.
    :param clock: the time, and how to wait.
    :param requests_per_10_seconds: the documented limit of the service; more is never sent.
    :param longest_sleep: seconds that this gate may let nobody pass; a longer wait is the caller's to schedule.
    :param priority: who asks; others of a smaller number go first.
    :param jitter: returns a number in [0, 1), to part those who lost the same race.
    """

    def __init__(  # noqa: PLR0913 - all but two are named at the call
        self,
        budget: BudgetStore,
        clock: Clock,
        *,
        requests_per_10_seconds: int = 5,
        longest_sleep: float = 60.0,
        priority: Priority = Priority.SCHEDULED,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.longest_sleep = longest_sleep
        self.waited_seconds = 0.0
        self._store = budget
        self._clock = clock
        self._limit = requests_per_10_seconds
        self._priority = priority
        self._jitter = jitter
        self._lock = threading.Lock()
        self._known: tuple[Budget, str | None] | None = None
        self._lead = 0.0
        self._is_swift = False
        #: Each `acquire` has a ticket: to the moment at which it wakes to try again, or to that written down for it.
        self._tickets = count()
        self._waking: dict[int, float] = {}
        self._granted: dict[int, float] = {}
        self._passed_at = clock.monotonic()

    def acquire(self) -> float:
        """Wait until one more request is allowed, and write it down; send it at once afterwards.

        :returns: the request's moment, in epoch seconds.
        :raises ThrottledError: when this gate would let nobody pass for longer than `longest_sleep`.
        """
        begun, ticket = self._clock.monotonic(), next(self._tickets)
        try:
            while True:
                wait, moment = self._try(ticket)
                if not wait:
                    return moment
                if self._clock.monotonic() - max(begun, self._passed_at) + wait > self.longest_sleep:
                    # Longer than was waited already: the caller gives its place back instead of trying at once.
                    raise self._too_long(max(wait, self.longest_sleep + 1))
                self._sleep(wait)
        finally:
            with self._lock:
                self._waking.pop(ticket, None)
                self._granted.pop(ticket, None)

    def pause(self, seconds: float, refused: float | None = None) -> None:
        """Let nobody send before that many seconds have passed: Graph said so.

        :param refused: the moment of the request that was refused for haste; the pace goes down for it.
        """
        until = self._now() + seconds
        while not self._pause_until(until, refused):
            self._sleep(RACE_PAUSE * self._jitter())

    def _try(self, ticket: int) -> tuple[float, float]:
        """Write a request down and return 0 and its moment, or return the seconds before the next attempt."""
        with self._lock:
            self._waking.pop(ticket, None)
            now = self._now()
            granted = self._granted.pop(ticket, None)
            if granted is not None and now - granted <= PUNCTUALITY:
                self._passed_at = self._clock.monotonic()
                return 0.0, granted
            budget, etag = self._read()
            budget = _recent(budget, now)
            budget = replace(budget, pace=budget.pace.after_quiet(self._limit, now))
            if wait := self._wait(budget, now):
                self._announce(budget, etag, now, wait)
            else:
                wait = self._write_down(ticket, budget, etag, now)
            if wait:
                self._waking[ticket] = now + wait
                return wait, 0.0
            self._passed_at = self._clock.monotonic()
            return 0.0, self._granted.pop(ticket)

    def _wait(self, budget: Budget, now: float) -> float:
        """Return the seconds until there is room for one more request and no pause is on; 0 when that is now."""
        allowed = self._allowed(budget, now)
        sent = [moment for moment, _ in budget.sent]
        wait = max(sent[-allowed] + WINDOW - now if len(sent) >= allowed else 0.0, budget.not_before - now, 0.0)
        if (urgent := self._urgent_until(budget)) > now:
            lesser = [moment for moment, priority in budget.sent if priority >= self._priority]
            free_at = urgent if budget.pace.allowed(self._limit) == 1 else lesser[-1] + WINDOW if lesser else now
            wait = max(wait, free_at - now)
        return max(wait, SHORTEST_WAIT) if wait > 0 else 0.0

    def _room(self, budget: Budget, now: float) -> int:
        """Return how many requests may be written down at once, when there is room for one."""
        if self._urgent_until(budget) > now:
            return 1
        return self._allowed(budget, now) - len(budget.requests)

    def _allowed(self, budget: Budget, now: float) -> int:
        """Return how many requests of a window there are before this priority leaves one to each lesser one."""
        lesser = {name for name, until in budget.wanted_until.items() if name > self._priority and until > now}
        owed = lesser - {priority for _, priority in budget.sent}
        return max(1, budget.pace.allowed(self._limit) - len(owed))

    def _urgent_until(self, budget: Budget) -> float:
        """Return until when somebody of a higher priority is taken to want to ask; 0 when nobody is."""
        return max((until for name, until in budget.wanted_until.items() if name < self._priority), default=0.0)

    def _write_down(self, ticket: int, budget: Budget, etag: str | None, now: float) -> float:
        """Write down the requests of those who try now, first come, first served; return the seconds left to wait."""
        others = [other for other, waking in self._waking.items() if waking <= now + TOGETHER]
        line = sorted({ticket, *others} - self._granted.keys())[: self._room(budget, now) if self._is_swift else 1]
        moment = now + self._lead
        fresh = [(moment, int(self._priority)) for _ in line]
        sent = sorted([*budget.sent, *fresh])
        budget = replace(
            budget,
            requests=tuple(at for at, _ in sent),
            priorities=tuple(priority for _, priority in sent),
            wanted_until={**budget.wanted_until, int(self._priority): moment + WANTED_FOR},
        )
        begun = self._clock.monotonic()
        if not self._write(budget, etag):
            return SHORTEST_WAIT + RACE_PAUSE * self._jitter()
        if not self._is_punctual(self._clock.monotonic() - begun):
            return SHORTEST_WAIT
        self._granted |= dict.fromkeys(line, moment)
        return 0.0 if ticket in line else SHORTEST_WAIT

    def _announce(self, budget: Budget, etag: str | None, now: float, wait: float) -> None:
        """Write down that somebody of this priority waits, where others fill the window."""
        is_known = budget.wanted_until.get(self._priority, 0.0) >= now + min(wait, WINDOW)
        if is_known or all(priority == self._priority for _, priority in budget.sent):
            return
        until = now + wait + WANTED_FOR
        self._write(replace(budget, wanted_until={**budget.wanted_until, int(self._priority): until}), etag)

    def _is_punctual(self, seconds: float) -> bool:
        """Tell whether the request leaves when the document says; if the store was slow, learn its pace.

        A request that leaves after its written time would still count for Graph when the document has
        forgotten it. So a slow store's requests are written down ahead of time, by what its writes take.
        """
        is_punctual = seconds <= self._lead + PUNCTUALITY or self._lead >= LONGEST_LEAD
        learned = seconds if seconds > PUNCTUALITY / 2 else 0.0
        self._lead = min(max(learned, 0.9 * self._lead), LONGEST_LEAD)
        self._is_swift = is_punctual
        return is_punctual

    def _pause_until(self, until: float, refused: float | None) -> bool:
        with self._lock:
            budget, etag = self._read()
            now = self._now()
            pace = budget.pace if refused is None else budget.pace.refused(self._limit, refused, now)
            if budget.not_before >= until and pace == budget.pace:
                return True
            self._granted.clear()
            budget = replace(_recent(budget, now), not_before=max(until, budget.not_before), pace=pace)
            return self._write(budget, etag)

    def _read(self) -> tuple[Budget, str | None]:
        """Return what this gate wrote last, or the store's document after a lost race."""
        if self._known is None:
            self._known = self._store.read()
        return self._known

    def _write(self, budget: Budget, etag: str | None) -> bool:
        self._known = None  # also when the write fails with an error: it may have happened
        written = self._store.write(budget, etag)
        self._known = None if written is None else (budget, written)
        return written is not None

    def _sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)
        with self._lock:
            self.waited_seconds += seconds

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _too_long(self, wait: float) -> ThrottledError:
        moment = datetime.fromtimestamp(self._now() + wait, UTC)
        message = (
            f"No request may be sent to Graph before {moment:%Y-%m-%d %H:%M:%S} UTC ({wait:.0f} s): the request budget "
            "is in use, or Graph asked for a pause. Nothing is lost; the step runs again after that."
        )
        return ThrottledError(message, retry_after=wait)


def _recent(budget: Budget, now: float) -> Budget:
    """Return the budget with what still counts; times far ahead come from a wrong clock and do not."""
    sent = [item for item in budget.sent if item[0] - WINDOW < now < item[0] + WINDOW]
    wanted = {name: until for name, until in budget.wanted_until.items() if now < until < now + 100 * WANTED_FOR}
    return replace(
        budget,
        requests=tuple(moment for moment, _ in sent),
        priorities=tuple(priority for _, priority in sent),
        wanted_until=wanted,
    )
