"""The request budget's shared document: when requests were sent, and before when none may be.

Every process that uses one application in one tenant reads and writes the same small document, and
a conditional write decides who was first. `gate.py` holds the rules; this module holds the form.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Budget:
    """What has been sent lately.

    :param requests: epoch seconds of recent requests, oldest first; at most one window's worth.
    :param not_before: epoch seconds before which Graph wants no request at all; 0 when it said nothing.
    """

    requests: tuple[float, ...] = ()
    not_before: float = 0.0

    def to_json(self) -> bytes:
        """Return the document as a store keeps it."""
        return json.dumps({"not_before": self.not_before, "requests": list(self.requests)}).encode()

    @classmethod
    def from_json(cls, body: bytes) -> Budget:
        """Read a stored document; an unreadable one counts as empty, for it only delays requests."""
        try:
            fields = json.loads(body)
            requests = tuple(sorted(float(moment) for moment in fields["requests"]))
            return cls(requests, float(fields["not_before"]))
        except (ValueError, TypeError, KeyError):
            return cls()


class BudgetStore(Protocol):
    """Where the document lives; writes are conditional, so nobody overwrites what they have not seen."""

    def read(self) -> tuple[Budget, str | None]:
        """Return the document and its etag; an empty one and None when it is absent."""
        ...

    def write(self, budget: Budget, etag: str | None) -> str | None:
        """Replace the document that has this etag (None: that is absent).

        :return: the new etag, or None when somebody else wrote first.
        """
        ...


class LocalBudget:
    """A budget in memory, for the threads of one process."""

    def __init__(self) -> None:
        self._budget = Budget()
        self._revision = 0
        self._lock = threading.Lock()

    def read(self) -> tuple[Budget, str | None]:
        """Return the document and its etag; see `BudgetStore`."""
        with self._lock:
            return self._budget, self._etag()

    def write(self, budget: Budget, etag: str | None) -> str | None:
        """Replace the document if it still has this etag; see `BudgetStore`."""
        with self._lock:
            if etag != self._etag():
                return None
            self._budget = budget
            self._revision += 1
            return self._etag()

    def _etag(self) -> str | None:
        return str(self._revision) if self._revision else None
