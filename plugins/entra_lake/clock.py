"""The one clock of the library: what time it is, how to wait, and what runs meanwhile."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

#: Only the sandbox sets it, so that its tenant and the library agree on the time.
OFFSET_VARIABLE = "ENTRA_LAKE_CLOCK_OFFSET_SECONDS"


@dataclass(frozen=True)
class Clock:
    """Tell the time in UTC, and wait; tests hand in one of their own.

    :param offset: added to the system's time.
    :param sleep: waits for this many seconds.
    :param monotonic: seconds that never run backwards, for durations.
    """

    offset: timedelta = timedelta()
    sleep: Callable[[float], None] = field(default=time.sleep)
    monotonic: Callable[[], float] = field(default=time.monotonic)

    def now(self) -> datetime:
        """Return the current time, UTC."""
        return datetime.now(UTC) + self.offset

    def start(self, work: Callable[[], None]) -> None:
        """Run this in a thread of its own; a simulated clock has to know who may be waiting.

        The thread ends with the process: what it does may be cut off anywhere, as a kill would do.
        """
        threading.Thread(target=work, name="listing", daemon=True).start()


def system_clock() -> Clock:
    """Return the system's clock, moved by `ENTRA_LAKE_CLOCK_OFFSET_SECONDS` if that is set."""
    return Clock(offset=timedelta(seconds=float(os.environ.get(OFFSET_VARIABLE) or 0)))
