"""The request budget's shared document: when requests were sent, and before when none may be.

Every process that uses one application in one tenant reads and writes the same small document, and
a conditional write decides who was first. `gate.py` holds the rules; this module holds the form.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from entra_lake.pace import Pace


class Priority(IntEnum):
    """Whose turn it is when several want to ask Graph: the smaller number goes first."""

    SCHEDULED = 0  # the daily run
    RECONCILE = 1  # what is owed of other days
    BACKFILL = 2  # whatever a person has started


@dataclass(frozen=True)
class Budget:
    """What has been sent lately, and by whom.

    :param requests: epoch seconds of recent requests, oldest first; at most one window's worth.
    :param not_before: epoch seconds before which Graph wants no request at all; 0 when it said nothing.
    :param priorities: each request's priority, in the order of `requests`; those that are not told are `SCHEDULED`.
    :param wanted_until: priority to the epoch seconds until which somebody of it is taken to want to ask.
    :param pace: how many requests a window may hold.
    """

    requests: tuple[float, ...] = ()
    not_before: float = 0.0
    priorities: tuple[int, ...] = ()
    wanted_until: Mapping[int, float] = field(default_factory=dict)
    pace: Pace = field(default_factory=Pace)

    @property
    def sent(self) -> list[tuple[float, int]]:
        """Return each request's time and priority, oldest first."""
        missing = len(self.requests) - len(self.priorities)
        return list(zip(self.requests, (*self.priorities, *(missing * (0,))), strict=False))

    def to_json(self) -> bytes:
        """Return the document as a store keeps it."""
        facts = {
            "not_before": self.not_before,
            "requests": list(self.requests),
            "priorities": list(self.priorities),
            "wanted_until": dict(self.wanted_until),
            "pace": self.pace.to_dict(),
        }
        return json.dumps(facts).encode()

    @classmethod
    def from_json(cls, body: bytes) -> Budget:
        """Read a stored document; an unreadable one counts as empty, for it only delays requests."""
        try:
            facts = json.loads(body)
            priorities = [*facts.get("priorities", ()), *(0 for _ in facts["requests"])]
            sent = sorted((float(a), int(b)) for a, b in zip(facts["requests"], priorities, strict=False))
            wanted = {int(name): float(until) for name, until in facts.get("wanted_until", {}).items()}
            return cls(
                requests=tuple(moment for moment, _ in sent),
                not_before=float(facts["not_before"]),
                priorities=tuple(priority for _, priority in sent),
                wanted_until=wanted,
                pace=Pace.from_dict(facts.get("pace", {})),
            )
        except (ValueError, TypeError, KeyError, AttributeError):
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
