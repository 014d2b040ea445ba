"""The sandbox's clock: the system's time plus an offset, or frozen."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from threading import Event, Lock

from sandbox import ticks


class Clock:
    """Tell the simulated time.

    :param offset_seconds: what the clock shows minus what the system shows, while it runs.
    :param frozen_at: the instant at which it stands still (ticks); None while it runs.
    """

    def __init__(self, offset_seconds: float = 0.0, frozen_at: int | None = None) -> None:
        self._offset = offset_seconds
        self._frozen_at = frozen_at
        self._lock = Lock()

    def ticks(self) -> int:
        """Return the simulated instant in ticks of 100 ns."""
        with self._lock:
            return self._ticks()

    def _ticks(self) -> int:
        if self._frozen_at is not None:
            return self._frozen_at
        return int((time.time() + self._offset) * 1_000_000) * 10

    def now(self) -> datetime:
        """Return the simulated instant."""
        return ticks.to_datetime(self.ticks())

    def seconds(self) -> float:
        """Return the simulated instant as seconds since 1970."""
        return self.ticks() / ticks.SECOND

    @property
    def offset_seconds(self) -> int:
        """Return how far the clock is from the system's time; exactly 0 when nobody has set it."""
        if self._frozen_at is None and not self._offset:
            return 0
        return round(self.seconds() - time.time())

    def set(self, moment: datetime) -> None:
        """Show this moment from now on; a frozen clock stays frozen."""
        with self._lock:
            if self._frozen_at is not None:
                self._frozen_at = ticks.from_datetime(moment)
            else:
                self._offset = moment.timestamp() - time.time()

    def advance(self, seconds: float) -> None:
        """Move forward, or backward when negative."""
        with self._lock:
            if self._frozen_at is not None:
                self._frozen_at += round(seconds * ticks.SECOND)
            else:
                self._offset += seconds

    def freeze(self, frozen: bool = True) -> None:  # noqa: FBT001, FBT002 - reads as a sentence
        """Stop the clock where it is, or let it run on from there."""
        with self._lock:
            if frozen and self._frozen_at is None:
                self._frozen_at = self._ticks()
            elif not frozen and self._frozen_at is not None:
                self._offset = self._frozen_at / ticks.SECOND - time.time()
                self._frozen_at = None

    def pause(self, seconds: float, stopping: Event) -> None:
        """Wait inside a server, in the system's time; end early when it stops."""
        stopping.wait(seconds)

    def state(self) -> dict[str, float | int | None]:
        """Return what `Clock(**state)` needs to go on."""
        with self._lock:
            return {"offset_seconds": self._offset, "frozen_at": self._frozen_at}


def parse_moment(text: str) -> datetime:
    """Read an ISO 8601 moment; without a zone it is UTC."""
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
