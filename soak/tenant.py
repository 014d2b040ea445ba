"""A tenant in which more happens than in most: records that come days late, and contents that change back and forth."""

from __future__ import annotations

import json
from datetime import date, timedelta
from random import Random

from entra_lake.schema import Stream
from entra_lake.streams import STREAMS
from sandbox import ticks
from sandbox.tenant.records import encode
from sandbox.tenant.versions import Row, Version
from soak.world import World

#: The oldest day in which something still changes, in days.
OLDEST_CHANGE = 26
#: The field in which a record of the stream changes.
CHANGING = {"sign_ins": "riskState", "directory_audits": "resultReason"}
_VALUES = ("none", "atRisk", "remediated", "dismissed")


class Troublemaker:
    """Adds to a day's records what the tenant would not have made by itself."""

    def __init__(self, world: World, random: Random) -> None:
        self._world = world
        self._random = random

    def make(self) -> None:
        """Make some trouble in the days that Microsoft still keeps."""
        random = self._random
        day = self._world.today - timedelta(days=random.randint(1, OLDEST_CHANGE))
        stream = random.choice([stream for stream in STREAMS.values() if stream.name in CHANGING])
        if random.random() < 0.5:  # noqa: PLR2004
            self._add_late(stream, day)
        else:
            self._change(stream, day)

    def _add_late(self, stream: Stream, day: date) -> None:
        """Let a record of a day long gone appear, at one of its edges or somewhere in it."""
        at = ticks.start_of(day) + self._random.choice((0, 1, ticks.DAY - 1, self._random.randrange(ticks.DAY)))
        name = f"late-{self._random.getrandbits(64):016x}"
        record = {"id": name, stream.time_field: ticks.iso(at), CHANGING[stream.name]: "none"}
        self._show(stream, name, at, encode(record), self._soon())

    def _change(self, stream: Stream, day: date) -> None:
        """Let a record change, and in half of the cases change back."""
        rows = [row for row in self._world.rows(stream, day) if row.versions[-1].visible_at < self._world.ticks]
        if not rows:
            return
        row = self._random.choice(rows)
        changed = _altered(row, CHANGING[stream.name], self._random.choice(_VALUES))
        moment = self._soon()
        self._show(stream, row.id, row.ticks, changed, moment)
        if self._random.random() < 0.5:  # noqa: PLR2004
            self._show(stream, row.id, row.ticks, row.versions[-1].body, moment + self._soon() - self._world.ticks)

    def _soon(self) -> int:
        return self._world.ticks + self._random.randint(1, 60 * 3600) * ticks.SECOND

    def _show(self, stream: Stream, name: str, at: int, body: bytes, visible_at: int) -> None:
        records = self._world.cloud.tenant.records
        home = records.find(stream, name, at)
        records.additions.add(stream.name, name, Version(visible_at, at, body), home)


def _altered(row: Row, field: str, value: str) -> bytes:
    """Return the record's latest content with another value in one field."""
    record = json.loads(row.versions[-1].body)
    return encode({**record, field: value})
