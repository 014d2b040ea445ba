"""How many requests a window may hold: Graph's documented limit, or less after it has refused some.

Nobody promises the documented number, and Graph may allow less without a word. So each burst of 429s
takes the pace one step down, and a quiet minute takes it one up; a pace that was refused twice is not
tried again for an hour. Once is no proof: a request that the network held up counts later for Graph
than for us. Measured, that costs little where the documented limit holds, and a handful of refused
requests where it does not.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Self

#: Seconds without a refusal before a step up.
QUIET: Final = 60.0
#: Seconds for which a pace that was refused is remembered.
MEMORY: Final = 3600.0
#: Refusals of one pace within that time that prove it too high.
PROOF: Final = 2


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What Graph's refusals have taught; epoch seconds, 0 where nothing has happened yet.

    :param level: requests that a window may hold; 0 where it is the documented limit.
    :param lowered_at: when the last step down was; requests sent before it belong to the same burst.
    :param refused_at: when the last refusal came.
    :param raised_at: when the last step up was.
    :param failed: the lowest level that was refused lately.
    :param failed_at: when that was.
    :param failures: in how many bursts that level was refused, each within an hour of the one before.
    """

    level: int = 0
    lowered_at: float = 0.0
    refused_at: float = 0.0
    raised_at: float = 0.0
    failed: int = 0
    failed_at: float = 0.0
    failures: int = 0

    def allowed(self, limit: int) -> int:
        """Return how many requests a window may hold."""
        return min(self.level or limit, limit)

    def refused(self, limit: int, sent_at: float, now: float) -> Self:
        """Return the pace behind a 429: one step down, unless the burst it belongs to has brought that already."""
        if sent_at <= self.lowered_at:
            return replace(self, refused_at=now)
        level = self.allowed(limit)
        lower = max(1, level - _step(limit))
        failures = self.failures + 1 if level == self.failed and now - self.failed_at < MEMORY else 1
        return replace(
            self, level=lower, lowered_at=now, refused_at=now, failed=level, failed_at=now, failures=failures
        )

    def after_quiet(self, limit: int, now: float) -> Self:
        """Return the pace one step up, once a minute was quiet and what is next was not refused twice lately."""
        higher = self.allowed(limit) + _step(limit)
        is_quiet = now - max(self.lowered_at, self.refused_at, self.raised_at) >= QUIET
        has_failed = self.failures >= PROOF and higher >= self.failed and now - self.failed_at < MEMORY
        if not self.level or not is_quiet or has_failed:
            return self
        return replace(self, level=0 if higher >= limit else higher, raised_at=now)

    def to_dict(self) -> dict[str, Any]:
        """Return the pace as the budget's document keeps it; nothing where there is nothing to keep."""
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> Self:
        """Read what `to_dict` wrote.

        :raises ValueError, TypeError: when it is something else.
        """
        return cls(
            level=int(facts.get("level", 0)),
            lowered_at=float(facts.get("lowered_at", 0.0)),
            refused_at=float(facts.get("refused_at", 0.0)),
            raised_at=float(facts.get("raised_at", 0.0)),
            failed=int(facts.get("failed", 0)),
            failed_at=float(facts.get("failed_at", 0.0)),
            failures=int(facts.get("failures", 0)),
        )


def _step(limit: int) -> int:
    return max(1, limit // 5)
