"""How far a listing is: what the log's progress lines and the task's state show."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The state of one slice's listing behind a page.

    :param done: estimated share of the slice that was listed, 0 to 1; None while it cannot be told.
    """

    stream: str
    day: str
    slice: str
    pages: int
    records: int
    seconds: float
    waited_seconds: float
    done: float | None

    @property
    def seconds_left(self) -> float | None:
        """Estimate the seconds until the slice is listed."""
        if not self.done or self.done <= 0:
            return None
        return self.seconds * (1 - min(self.done, 1.0)) / min(self.done, 1.0)

    def line(self) -> str:
        """Return the progress as one line for the log."""
        rate = self.records / self.seconds if self.seconds > 0 else 0.0
        left = self.seconds_left
        end = "" if left is None else f" · about {left:.0f} s left"
        return (
            f"{self.stream} {self.day} {self.slice} page {self.pages} · {self.records} records · {rate:.0f} records/s"
            f" · {self.waited_seconds:.1f} s throttled{end}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the progress for the task state store."""
        return asdict(self)
