"""What the lake holds of a day, and what the tenant has shown of it, in the same words."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

import pyarrow.parquet as pq

from entra_lake.flatten import unflatten
from entra_lake.identity import canonical
from entra_lake.lake import Lake
from entra_lake.layout import lake_key
from entra_lake.schema import Stream
from sandbox import ticks
from sandbox.tenant.versions import Row
from soak.world import World

#: (id, content), the content as its canonical text
Content = tuple[str, str]


@dataclass(frozen=True)
class Held:
    """A day's object, read row by row.

    :param history: every (id, content).
    :param view: what the view shows of each id.
    :param doubled: rows too many: a content that stands twice under its id, or an id without exactly one latest row.
    """

    etag: str
    rows: int
    history: frozenset[Content]
    view: dict[str, str]
    doubled: int

    @property
    def ids(self) -> int:
        """Return how many records there are."""
        return len({name for name, _ in self.history})


@dataclass(frozen=True)
class Era:
    """The time in which a listing shows one content of a record.

    :param start: the first instant (ticks).
    :param end: the first instant at which it shows another one; None while it is the last one.
    """

    id: str
    content: str
    start: int
    end: int | None

    def covers(self, began: int, ended: int) -> bool:
        """Tell whether every listing in `[began, ended]` shows it."""
        return self.start <= began and (self.end is None or self.end > ended)

    def meets(self, began: int, ended: int) -> bool:
        """Tell whether a listing in `[began, ended]` may show it."""
        return self.start <= ended and (self.end is None or self.end > began)


def read_held(lake: Lake, stream: Stream, day: date) -> Held | None:
    """Read a day's object; None when there is none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "day.parquet"
        found = lake.store.download(lake_key(stream, day), path)
        if found is None:
            return None
        rows = pq.read_table(path).to_pylist()
    history = Counter((row["id"], canonical(unflatten(row, stream))) for row in rows)
    latest = [(row["id"], canonical(unflatten(row, stream))) for row in rows if row["is_latest"]]
    shown = Counter(name for name, _ in latest)
    ids = {name for name, _ in history}
    doubled = sum(count - 1 for count in history.values()) + sum(shown[name] != 1 for name in ids)
    return Held(found.etag, len(rows), frozenset(history), dict(latest), doubled)


def eras(world: World, stream: Stream, day: date) -> list[Era]:
    """Return every content of the day's records, and when a listing of the day shows it."""
    return [era for row in world.rows(stream, day) for era in _eras_of(row, day)]


def shown_at(world: World, stream: Stream, day: date, instant: int | None = None) -> dict[str, str]:
    """Return what a complete listing shows now, or at another instant: id to content."""
    moment = world.ticks if instant is None else instant
    return {era.id: era.content for era in eras(world, stream, day) if era.meets(moment, moment)}


def _eras_of(row: Row, day: date) -> list[Era]:
    """Return the times of the contents whose event lies on the day: it may be moved to another one."""
    first = ticks.start_of(day)
    ends = [version.visible_at for version in row.versions[1:]]
    return [
        Era(row.id, _canonical(version.body), version.visible_at, end)
        for version, end in zip(row.versions, [*ends, None], strict=True)
        if (end is None or end > version.visible_at) and first <= version.ticks < first + ticks.DAY
    ]


@lru_cache(maxsize=200_000)
def _canonical(body: bytes) -> str:
    return canonical(body)
