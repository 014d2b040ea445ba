"""How far a listing is: what the log's progress lines and the task's state show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The state of a listing behind a page: of one slice, or of all of a pass together.

    :param slice: its name, or how many slices are done and how many there are.
    :param seconds: since the listing began.
    :param waited_seconds: of these, spent waiting for the budget or for Graph; the mean of those side by side.
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


def add_up(
    finished: Sequence[Progress], running: Sequence[Progress], waiting: int, *, seconds: float, side_by_side: int
) -> Progress:
    """Return how far all slices of a pass are together.

    :param running: listings that have had a page; at least one.
    :param waiting: slices that nobody has begun.
    :param seconds: since the first listing began.
    :param side_by_side: how many listings there are at a time.
    """
    parts = [*finished, *running]
    count = len(parts) + waiting
    if count == 1:
        return parts[0]
    shares = [part.done for part in running if part.done is not None]
    return replace(
        parts[-1],
        slice=f"{len(finished)} of {count} slices",
        pages=sum(part.pages for part in parts),
        records=sum(part.records for part in parts),
        seconds=seconds,
        waited_seconds=sum(part.waited_seconds for part in parts) / min(side_by_side, count),
        done=(len(finished) + sum(min(share, 1.0) for share in shares)) / count,
    )
