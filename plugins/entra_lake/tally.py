"""What a build counts while it writes rows: numbers for the footer, which Athena must confirm."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from datetime import UTC, datetime

from entra_lake.flatten import Row, extra_paths
from entra_lake.footer import add_to_id_set
from entra_lake.identity import Identity
from entra_lake.schema import Stream
from entra_lake.versions import Version

#: A drift report names at most so many paths; the rest is counted as one.
MOST_PATHS = 200
#: Upper bounds of the lateness histogram, in hours.
LATENESS_HOURS = (1, 6, 12, 24, 36, 48, 96, 192, 384, 720)
_MS_PER_HOUR = 3_600_000


class Tally:
    """Count the rows of one build."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._known = {column.name: frozenset(column.values) for column in stream.columns if column.values}
        self._paths = {column.name: column.path for column in stream.columns}
        self._drift: Counter[str] = Counter()
        self._lateness: Counter[str] = Counter()
        self._id_set = 0
        self.rows = 0
        self.ids = 0
        self.first_event: int | None = None
        self.last_event: int | None = None

    @property
    def id_set_sha256(self) -> str:
        """Return the hash of the set of ids."""
        return f"{self._id_set:064x}"

    @property
    def drift(self) -> dict[str, int]:
        """Return what the schema did not expect: `path kind` to rows."""
        return dict(sorted(self._drift.items()))

    @property
    def lateness(self) -> dict[str, int]:
        """Return upper bounds in hours to ids first seen within that time after their event."""
        return dict(self._lateness)

    def add(self, row: Row, identity: Identity, version: Version) -> None:
        """Count one row."""
        self.rows += 1
        self._note_time(identity.event_time)
        self._note_drift(row)
        if version.number == 1:
            self.ids += 1
            self._id_set = add_to_id_set(self._id_set, identity.id)
            self._note_lateness(identity.event_time, version.first_seen_at)

    def _note_time(self, event_time: int | None) -> None:
        if event_time is None:
            self._count(self._stream.time_field, "unreadable")
            return
        self.first_event = event_time if self.first_event is None else min(self.first_event, event_time)
        self.last_event = event_time if self.last_event is None else max(self.last_event, event_time)

    def _note_drift(self, row: Row) -> None:
        if row["extra_json"]:
            for path, kind in extra_paths(json.loads(row["extra_json"]), self._stream):
                self._count(path, kind)
        for name, known in self._known.items():
            if row[name] is not None and row[name] not in known:
                self._count(self._paths[name], "member")

    def _count(self, path: str, kind: str) -> None:
        name = f"{path} {kind}".encode(errors="replace").decode()
        self._drift[name if name in self._drift or len(self._drift) < MOST_PATHS else "more paths"] += 1

    def _note_lateness(self, event_time: int | None, seen: datetime) -> None:
        if event_time is not None:
            hours = (int(seen.astimezone(UTC).timestamp()) * 1000 - event_time) / _MS_PER_HOUR
            place = bisect_left(LATENESS_HOURS, hours)
            self._lateness[str(LATENESS_HOURS[place]) if place < len(LATENESS_HOURS) else "more"] += 1
