"""Time that moves on by itself: to the next moment for which somebody waits, as soon as everybody waits.

The tenant's answers that take ten seconds and a client's pauses of a minute then take no time at all, while the
code on both sides is the code that ships: real threads, real requests. A day of a million records is listed
in the time that its bytes take to be worked on.

An activity is a thread that was begun with `start`. While it waits for the tenant's answer, the thread that serves it
may wait in its place; so one activity waits at one place at a time, and time moves when none is busy. Activities that
shall begin together are begun by one of their own.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from datetime import datetime
from typing import NoReturn

from entra_lake.clock import Clock as LibraryClock
from sandbox import ticks
from sandbox.clock import Clock

#: Real seconds after which activities that all wait, and time that does not move, are a fault of the program.
_STUCK_SECONDS = 120.0


class SimulatedTime(Clock):
    """A sandbox's clock that only waiting moves.

    :param start: what it shows first.
    """

    def __init__(self, start: datetime) -> None:
        super().__init__(frozen_at=ticks.from_datetime(start))
        self._busy = 0
        self._wakings: list[int] = []
        self._moved = threading.Condition()

    def sleep(self, seconds: float) -> None:
        """Wait until so much simulated time has passed."""
        with self._moved:
            until = self.ticks() + max(1, round(seconds * ticks.SECOND))
            heapq.heappush(self._wakings, until)
            self._busy -= 1
            self._move_on()
            while self.ticks() < until:
                if not self._moved.wait(_STUCK_SECONDS):
                    self._fail()

    def pause(self, seconds: float, stopping: threading.Event) -> None:
        """Wait as `sleep` does; see `Clock.pause`."""
        if not stopping.is_set():
            self.sleep(seconds)

    def start(self, work: Callable[[], None]) -> None:
        """Begin an activity in a thread of its own."""
        with self._moved:
            self._busy += 1

        def run() -> None:
            try:
                work()
            finally:
                with self._moved:
                    self._busy -= 1
                    self._move_on()

        threading.Thread(target=run, name="activity", daemon=True).start()

    def library_clock(self) -> LibraryClock:
        """Return this time as the library knows a clock."""
        return _LibraryClock(self)

    def _move_on(self) -> None:
        if self._busy > 0 or not self._wakings:
            return
        self._frozen_at = max(self.ticks(), self._wakings[0])
        while self._wakings and self._wakings[0] <= self._frozen_at:
            heapq.heappop(self._wakings)
            self._busy += 1
        self._moved.notify_all()

    def _fail(self) -> NoReturn:
        message = f"Simulated time stands still: {self._busy} activities are busy, {len(self._wakings)} wait."
        raise RuntimeError(message)


class _LibraryClock(LibraryClock):
    def __init__(self, time: SimulatedTime) -> None:
        super().__init__(sleep=time.sleep, monotonic=time.seconds)
        object.__setattr__(self, "_time", time)

    def now(self) -> datetime:
        """Return the simulated time."""
        moment: datetime = self._time.now()  # type: ignore[attr-defined]
        return moment

    def start(self, work: Callable[[], None]) -> None:
        """Begin an activity."""
        self._time.start(work)  # type: ignore[attr-defined]
