"""One request budget per (application, tenant): who may ask Graph, and when.

Graph's reports service allows an application five requests in ten seconds per tenant, counts refused
requests too, and says nothing of its algorithm. So the gate mirrors the strictest reading, a sliding
window, and lets nobody send a sixth request: measured, that uses 98 % of the allowance without one
429, where workers that each wait for their own `Retry-After` block one another for good.

The window lives in a document that all processes share (`budget.py`). A request is written down
before it is sent; whoever loses the race for the write reads again.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from entra_lake.budget import Budget, BudgetStore, LocalBudget
from entra_lake.clock import Clock
from entra_lake.errors import ThrottledError

__all__ = ["Budget", "BudgetStore", "Gate", "LocalBudget"]

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


class Gate:
    """Let requests pass at the pace that Graph allows; safe for threads and, with a shared store, processes.

    :param budget: where the shared document lives.
    :param clock: the time, and how to wait.
    :param requests_per_10_seconds: the documented limit of the service.
    :param longest_sleep: seconds that one `acquire` may wait; a longer wait is the caller's to schedule.
    :param jitter: returns a number in [0, 1), to part those who lost the same race.
    """

    def __init__(
        self,
        budget: BudgetStore,
        clock: Clock,
        *,
        requests_per_10_seconds: int = 5,
        longest_sleep: float = 60.0,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.longest_sleep = longest_sleep
        self.waited_seconds = 0.0
        self._store = budget
        self._clock = clock
        self._limit = requests_per_10_seconds
        self._jitter = jitter
        self._lock = threading.Lock()
        self._known: tuple[Budget, str | None] | None = None
        self._lead = 0.0

    def acquire(self) -> None:
        """Wait until one more request is allowed, and write it down; send it at once afterwards.

        :raises ThrottledError: when that would take longer than `longest_sleep`.
        """
        begun = self._clock.monotonic()
        while (wait := self._try()) > 0:
            if self._clock.monotonic() - begun + wait > self.longest_sleep:
                raise self._too_long(wait)
            self._sleep(wait)

    def pause(self, seconds: float) -> None:
        """Let nobody send before that many seconds have passed: a 429 said so."""
        until = self._now() + seconds
        while not self._pause_until(until):
            self._sleep(RACE_PAUSE * self._jitter())

    def _try(self) -> float:
        """Write one request down and return 0, or return the seconds to wait before the next attempt."""
        with self._lock:
            budget, etag = self._read()
            now = self._now()
            recent = self._recent(budget, now)
            if wait := self._wait(recent, budget.not_before, now):
                return wait
            requests = tuple(sorted((*recent, now + self._lead)))
            begun = self._clock.monotonic()
            if not self._write(Budget(requests, budget.not_before), etag):
                return SHORTEST_WAIT + RACE_PAUSE * self._jitter()
            return 0.0 if self._is_punctual(self._clock.monotonic() - begun) else SHORTEST_WAIT

    def _wait(self, recent: tuple[float, ...], not_before: float, now: float) -> float:
        """Return the seconds until the window has room and no pause is on; 0 when that is now."""
        full = len(recent) >= self._limit
        wait = max(recent[-self._limit] + WINDOW - now if full else 0.0, not_before - now, 0.0)
        return max(wait, SHORTEST_WAIT) if wait else 0.0

    def _recent(self, budget: Budget, now: float) -> tuple[float, ...]:
        """Return the requests that still count; times far ahead come from a wrong clock and do not."""
        return tuple(moment for moment in budget.requests if abs(now - moment) < WINDOW)

    def _is_punctual(self, seconds: float) -> bool:
        """Tell whether the request leaves when the document says; if the store was slow, learn its pace.

        A request that leaves after its written time would still count for Graph when the document has
        forgotten it. So a slow store's requests are written down ahead of time, by what its writes take.
        """
        is_punctual = seconds <= self._lead + PUNCTUALITY or self._lead >= LONGEST_LEAD
        learned = seconds if seconds > PUNCTUALITY else 0.0
        self._lead = min(max(learned, 0.9 * self._lead), LONGEST_LEAD)
        return is_punctual

    def _pause_until(self, until: float) -> bool:
        with self._lock:
            budget, etag = self._read()
            if budget.not_before >= until:
                return True
            return self._write(Budget(self._recent(budget, self._now()), until), etag)

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
