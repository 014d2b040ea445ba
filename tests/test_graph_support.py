"""What the tests of the Graph client share: a clock that nobody waits for, and a client of the sandbox's tenant."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from entra_lake.clock import Clock
from entra_lake.connections import GraphConnection
from entra_lake.gate import Gate, LocalBudget
from entra_lake.graph import GraphClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.serve import Sandbox

NOW = datetime(2026, 11, 23, 5, tzinfo=UTC)


class VirtualClock(Clock):
    """A clock that only sleeping moves; it remembers every sleep."""

    def __init__(self, start: datetime = NOW) -> None:
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "elapsed", 0.0)
        object.__setattr__(self, "sleeps", [])
        object.__setattr__(self, "sleep", self._sleep)
        object.__setattr__(self, "monotonic", lambda: self.elapsed)

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.elapsed)

    def advance(self, seconds: float) -> None:
        object.__setattr__(self, "elapsed", self.elapsed + seconds)

    def _sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.advance(seconds)


class SharedTime:
    """Virtual time for several threads: it moves to the next waking only when all of them sleep."""

    def __init__(self, threads: int) -> None:
        self.elapsed = 0.0
        self._running = threads
        self._wakings: list[float] = []
        self._changed = threading.Condition()

    def clock(self) -> Clock:
        time = self

        class _Clock(Clock):
            def now(self) -> datetime:
                return NOW + timedelta(seconds=time.elapsed)

        return _Clock(sleep=self.sleep, monotonic=lambda: self.elapsed)

    def sleep(self, seconds: float) -> None:
        with self._changed:
            until = self.elapsed + seconds
            self._wakings.append(until)
            self._running -= 1
            self._move_on()
            self._changed.wait_for(lambda: self.elapsed >= until, timeout=20)

    def leave(self) -> None:
        """Say that this thread is done."""
        with self._changed:
            self._running -= 1
            self._move_on()

    def _move_on(self) -> None:
        if self._running == 0 and self._wakings:
            self.elapsed = max(self.elapsed, min(self._wakings))
            awake = [waking for waking in self._wakings if waking <= self.elapsed]
            self._wakings = [waking for waking in self._wakings if waking > self.elapsed]
            self._running = len(awake)
            self._changed.notify_all()


def connection_to(cloud: Sandbox, **changes: Any) -> GraphConnection:
    settings = cloud.settings
    fields: dict[str, Any] = {
        "conn_id": "graph_default",
        "tenant_id": settings["tenant_id"],
        "client_id": settings["client_id"],
        "client_secret": settings["client_secret"],
        "authority": settings["authority"],
        "graph_url": settings["graph_url"],
        "verify": settings["ca_bundle"],
    }
    return GraphConnection(**{**fields, **changes})


@contextmanager
def client_of(connection: GraphConnection, clock: Clock | None = None, **options: Any) -> Iterator[GraphClient]:
    clock = clock or VirtualClock()
    gate = options.pop("gate", None) or Gate(LocalBudget(), clock, requests_per_10_seconds=1000)
    with GraphClient(connection, gate=gate, clock=clock, jitter=lambda: 0.5, **options) as client:
        yield client
