"""The tenant's records: generated chunk by chunk, so that a million a day need no more memory than a few.

A chunk (an hour, or five minutes of a busy tenant) is a pure function of seed, stream and time, whatever was asked for
before. What the control API adds is laid over it.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator
from datetime import date
from random import Random
from threading import RLock
from typing import Protocol

from entra_lake.schema import Stream
from sandbox import ticks
from sandbox.tenant import history
from sandbox.tenant.additions import Additions
from sandbox.tenant.directory_audits import DirectoryAuditMaker
from sandbox.tenant.invention import InventedMaker
from sandbox.tenant.oddities import disturb
from sandbox.tenant.people import Cast, Json
from sandbox.tenant.sign_ins import SignInMaker
from sandbox.tenant.story import Scene, tell
from sandbox.tenant.versions import Row, Seen, Version

_CACHE_BYTES = 256 * 1024 * 1024
#: Weight of each hour (UTC) of a working day in central Europe; the mean is 1.
_NIGHT, _MORNING = (0.2, 0.1, 0.1, 0.1, 0.2, 0.5), (1.2, 2.0, 2.3, 2.1, 1.8, 1.5)
_AFTERNOON, _EVENING = (1.2, 1.7, 1.9, 1.7, 1.4, 1.0), (0.8, 0.7, 0.6, 0.4, 0.3, 0.2)
_RHYTHM = _NIGHT + _MORNING + _AFTERNOON + _EVENING
_WEEKEND, _SATURDAY = 0.6, 5
#: What every generated id has in it.
_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}")
#: Up to so many sign-ins a day an hour's records are made at once.
_QUIET = 50_000


class Maker(Protocol):
    """Whatever makes one record of an instant after the other."""

    def make(self, instant: str) -> Json:
        """Return a record of this instant."""


class Records:
    """All records of a tenant, by stream and time.

    :param sign_ins_per_day: on a working day; the other streams follow in proportion.
    """

    def __init__(self, cast: Cast, sign_ins_per_day: int, story_day: date, additions: Additions) -> None:
        self.cast = cast
        self.additions = additions
        self.chunk_ticks = ticks.HOUR if sign_ins_per_day <= _QUIET else 5 * ticks.MINUTE
        self._per_day = sign_ins_per_day
        self._story = tell(cast, story_day)
        self._cache: OrderedDict[tuple[str, int], tuple[list[Row], int]] = OrderedDict()
        self._cached_bytes = 0
        self._lock = RLock()

    def chunk_start(self, instant: int) -> int:
        """Return the beginning of the chunk that holds the instant."""
        return instant - instant % self.chunk_ticks

    def seen(self, stream: Stream, chunk: int, snapshot: int) -> list[Seen]:
        """Return what the chunk's part of a listing shows at the snapshot, oldest first."""
        rows = self._chunk(stream, chunk)
        added = self.additions.of(stream.name)
        result = [seen for row in rows if (not added or row.id not in added) and (seen := row.at(snapshot)) is not None]
        if added:
            result += self._added(stream, chunk, snapshot)
            result.sort(key=lambda seen: seen.ticks)
        return result

    def _added(self, stream: Stream, chunk: int, snapshot: int) -> Iterator[Seen]:
        for record_id in self.additions.of(stream.name):
            seen = self.history_of(stream, record_id).at(snapshot)
            if seen is not None and chunk <= seen.ticks < chunk + self.chunk_ticks:
                yield seen

    def history_of(self, stream: Stream, record_id: str) -> Row:
        """Return all versions of an added id: its generated ones, if any, and those that were added."""
        added = self.additions.of(stream.name)[record_id]
        generated = self._generated(stream, record_id, added.home) if added.home is not None else ()
        versions = sorted((*generated, *added.versions), key=lambda version: version.visible_at)
        return Row(versions[0].ticks, record_id, tuple(versions))

    def _generated(self, stream: Stream, record_id: str, home: int) -> tuple[Version, ...]:
        chunk = self._chunk(stream, self.chunk_start(home))
        return next((row.versions for row in chunk if row.id == record_id), ())

    def find(self, stream: Stream, record_id: str, near: int) -> int | None:
        """Return the event's instant of the generated record of this id, looked for within 24 chunks of `near`."""
        if not _GUID.search(record_id):
            return None  # not one that was generated: looking would make hours of a busy tenant's records
        home = self.chunk_start(near)
        reach = 24 * self.chunk_ticks
        nearby = (home, *range(home - reach, home + reach, self.chunk_ticks))
        rows = (row for chunk in nearby for row in self._chunk(stream, chunk))
        return next((row.ticks for row in rows if row.id == record_id), None)

    def rows_of_day(self, stream: Stream, day: date) -> Iterator[Row]:
        """Return every generated id whose event is on the day, and every added id that ever was on it."""
        start = ticks.start_of(day)
        added = self.additions.of(stream.name)
        for chunk in range(start, start + ticks.DAY, self.chunk_ticks):
            yield from (row for row in self._chunk(stream, chunk) if row.id not in added)
        for record_id in added:
            row = self.history_of(stream, record_id)
            if any(start <= version.ticks < start + ticks.DAY for version in row.versions):
                yield row

    def _chunk(self, stream: Stream, start: int) -> list[Row]:
        key = (stream.name, start)
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key][0]
            rows = self._generate(stream, start)
            size = sum(len(version.body) + 400 for row in rows for version in row.versions)
            self._cache[key] = (rows, size)
            self._cached_bytes += size
            while self._cached_bytes > _CACHE_BYTES and len(self._cache) > 1:
                self._cached_bytes -= self._cache.popitem(last=False)[1][1]
            return rows

    def _generate(self, stream: Stream, start: int) -> list[Row]:
        random = Random(f"{self.cast.seed}/{stream.name}/{start}/{self._per_day}")
        maker = _maker(stream, self.cast, random)
        rows = []
        for instant in self._instants(stream, start, random):
            record = disturb(random, maker.make(ticks.iso(instant, stream.time_digits)))
            rows.append(_row(random, instant, record))
        rows += [_scene_row(random, scene) for scene in self._scenes(stream, start)]
        rows.sort(key=lambda row: row.ticks)
        return rows

    def _instants(self, stream: Stream, start: int, random: Random) -> list[int]:
        moment = ticks.to_datetime(start)
        hours = self.chunk_ticks / ticks.HOUR
        weight = _RHYTHM[moment.hour] * (_WEEKEND if moment.weekday() >= _SATURDAY else 1.0)
        share = 1.0 if stream.name == "sign_ins" else 0.1
        count = int(self._per_day * share * weight * hours / 24 + random.random())
        unit = 10 ** (7 - stream.time_digits)
        instants = [start + int(random.random() * self.chunk_ticks) // unit * unit for _ in range(count)]
        if start % ticks.DAY == 0:
            instants.append(start)
        if (start + self.chunk_ticks) % ticks.DAY == 0:
            instants.append(start + self.chunk_ticks - unit)
        return sorted(instants)

    def _scenes(self, stream: Stream, start: int) -> list[Scene]:
        first = bisect_left(self._story, start, key=lambda scene: scene.at)
        last = bisect_left(self._story, start + self.chunk_ticks, key=lambda scene: scene.at)
        return [scene for scene in self._story[first:last] if scene.stream == stream.name]


def _maker(stream: Stream, cast: Cast, random: Random) -> Maker:
    if stream.name == "sign_ins":
        return SignInMaker(cast, random)
    if stream.name == "directory_audits":
        return DirectoryAuditMaker(cast, random)
    return InventedMaker(stream, cast, random)


def _row(random: Random, instant: int, record: Json) -> Row:
    visible_at = instant + history.delay(random)
    versions = [Version(visible_at, instant, encode(record))]
    for after, changed in history.later_versions(random, record):
        versions.append(Version(visible_at + after, instant, encode(changed)))
    return Row(instant, str(record["id"]), tuple(versions))


def _scene_row(random: Random, scene: Scene) -> Row:
    visible_at = scene.at + random.randrange(5, 100) * ticks.SECOND
    versions = [Version(visible_at, scene.at, encode(scene.record))]
    versions += [Version(visible_at + after, scene.at, encode(record)) for after, record in scene.later]
    return Row(scene.at, scene.record["id"], tuple(versions))


def encode(record: Json) -> bytes:
    """Write a record as Graph does: compact and in UTF-8; lone surrogates can only be escaped."""
    try:
        return _ENCODER.encode(record).encode()
    except UnicodeEncodeError:
        return json.dumps(record, separators=(",", ":")).encode()


_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False)
