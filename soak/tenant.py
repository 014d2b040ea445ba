"""A tenant in which more happens than in most: records that come days late, and contents that change back and forth."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, timedelta
from random import Random
from typing import Any

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
#: Contents that no schema expects.
_ODD: tuple[dict[str, Any], ...] = (
    {"brandNew": {"deep": [1, {"deeper": None}]}},
    {"riskState": 17, "resultReason": {"text": "an object"}},
    {"riskState": "brandNewMember", "resultReason": None},
    {"note": "x" * 200_000},
    {"number": 2**70, "other": 1e300, "small": -0.0},
    {"text": "\ud800 alone, \x00 and \u202e"},
    {"Id": "written otherwise", "@odata.type": "#microsoft.graph.signIn"},
)
#: What it does, and how often of twelve times.
_KINDS = {"late record": 4, "changed": 3, "changed back": 2, "odd content": 2, "moved over midnight": 1}


class Troublemaker:
    """Adds to a day's records what the tenant would not have made by itself.

    :param made: how often it did what.
    """

    def __init__(self, world: World, random: Random, made: Counter[str]) -> None:
        self._world = world
        self._random = random
        self._made = made

    def make(self) -> None:
        """Make some trouble in the days that Microsoft still keeps."""
        random = self._random
        oldest = min(OLDEST_CHANGE, self._world.settings.retention_days - 2)
        day = self._world.today - timedelta(days=random.randint(1, oldest))
        stream = random.choice([stream for stream in STREAMS.values() if stream.name in CHANGING])
        kind = random.choices(list(_KINDS), list(_KINDS.values()))[0]
        if kind in {"late record", "odd content"}:
            self._add_late(stream, day, {} if kind == "late record" else random.choice(_ODD))
        elif not self._alter(stream, day, kind):
            return
        self._made[kind] += 1

    def _add_late(self, stream: Stream, day: date, members: dict[str, Any]) -> None:
        """Let a record of a day long gone appear, at one of its edges or somewhere in it."""
        at = ticks.start_of(day) + self._random.choice((0, 1, ticks.DAY - 1, self._random.randrange(ticks.DAY)))
        name = f"late-{self._random.getrandbits(64):016x}"
        record = {"id": name, stream.time_field: ticks.iso(at), CHANGING[stream.name]: "none", **members}
        self._show(stream, name, at, encode(record), self._soon())

    def _alter(self, stream: Stream, day: date, kind: str) -> bool:
        """Let a record become another one; tell whether the day has one."""
        rows = [row for row in self._world.rows(stream, day) if row.versions[-1].visible_at < self._world.ticks]
        if not rows:
            return False
        row = self._random.choice(rows)
        if kind == "moved over midnight":
            self._move(stream, row, day)
        else:
            self._change(stream, row, goes_back=kind == "changed back")
        return True

    def _change(self, stream: Stream, row: Row, *, goes_back: bool) -> None:
        last = row.versions[-1]
        changed = _altered(row, CHANGING[stream.name], self._random.choice(_VALUES))
        moment = self._soon()
        self._show(stream, row.id, last.ticks, changed, moment)
        if goes_back:
            self._show(stream, row.id, last.ticks, last.body, moment + self._soon() - self._world.ticks)

    def _move(self, stream: Stream, row: Row, day: date) -> None:
        """Let the event turn out to have been on the next day."""
        at = ticks.start_of(day) + ticks.DAY
        self._show(stream, row.id, at, _altered(row, stream.time_field, ticks.iso(at)), self._soon())

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
