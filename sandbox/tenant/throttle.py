"""How many requests Graph lets an application make: 5 in 10 seconds for reports, counted even while refused."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Protocol

#: How a limit may be counted.
KINDS = ("sliding", "fixed", "bucket")


@dataclass(frozen=True)
class Limit:
    """A limit and how it is counted.

    :param limit: what is let in; where it is less than Graph documents, nobody is told.
    :param kind: `sliding` window, `fixed` window, or token `bucket`.
    :param retry_after: `int`, `fraction`, or `none` for no header at all.
    :param clock: `system`, or `sandbox` for tests that move the clock.
    """

    limit: int = 5
    seconds: float = 10.0
    kind: str = "sliding"
    retry_after: str = "int"
    clock: str = "system"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            message = f"kind is one of {', '.join(KINDS)}, not {self.kind!r}"
            raise ValueError(message)

    def header(self, wait: float) -> str | None:
        """Return the Retry-After header of a refusal."""
        if self.retry_after == "none":
            return None
        return f"{wait:.3f}" if self.retry_after == "fraction" else str(max(1, math.ceil(wait)))


REPORTS = Limit()
#: Identity Protection: one request per second and tenant, and no word on how long to wait.
IDENTITY_PROTECTION = Limit(limit=1, seconds=1.0, retry_after="none")


class Meter(Protocol):
    """Count the requests of one application."""

    def wait(self, now: float) -> float:
        """Count a request; return 0 when it is let in, else the seconds until one would be."""


class Throttle:
    """Let requests in, or say how long to wait; one meter per application, tenant and group."""

    def __init__(self, sandbox_seconds: Callable[[], float]) -> None:
        self._sandbox_seconds = sandbox_seconds
        self._meters: dict[tuple[str, Limit], Meter] = {}
        self._lock = Lock()

    def refuse(self, key: str, limit: Limit) -> float:
        """Return 0 to let the request in, else the seconds to wait."""
        now = self._sandbox_seconds() if limit.clock == "sandbox" else time.monotonic()
        with self._lock:
            meter = self._meters.setdefault((key, limit), _METERS[limit.kind](limit))
            return meter.wait(now)

    def forget(self) -> None:
        """Begin to count anew."""
        with self._lock:
            self._meters.clear()


class _Sliding:
    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._times: deque[float] = deque(maxlen=limit.limit)

    def wait(self, now: float) -> float:
        full = len(self._times) == self._limit.limit
        free_at = self._times[0] + self._limit.seconds if full else now
        self._times.append(now)
        # Refused requests count too, so the answer is when the window would be free after this one.
        return 0.0 if free_at <= now else max(self._times[0] + self._limit.seconds - now, 0.001)


class _Fixed:
    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._window = -math.inf
        self._count = 0

    def wait(self, now: float) -> float:
        window = now // self._limit.seconds
        if window != self._window:
            self._window, self._count = window, 0
        self._count += 1
        return 0.0 if self._count <= self._limit.limit else (window + 1) * self._limit.seconds - now


class _Bucket:
    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._tokens = float(limit.limit)
        self._filled_at = 0.0

    def wait(self, now: float) -> float:
        rate = self._limit.limit / self._limit.seconds
        self._tokens = min(self._limit.limit, self._tokens + (now - self._filled_at) * rate)
        self._filled_at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        self._tokens = 0.0  # a refused request costs what there is of its token
        return 1 / rate


_METERS: dict[str, Callable[[Limit], Meter]] = dict(zip(KINDS, (_Sliding, _Fixed, _Bucket), strict=True))
