"""Which rules may run for which days, and which of them have not: computed from S3, never from Airflow's runs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from entra_lake.detections import Detection
from entra_lake.errors import AthenaUnavailableError, ConfigurationError, ConflictError, StoreUnavailableError
from entra_lake.examinations import Examination, Ran
from entra_lake.lake import Lake
from entra_lake.layout import lake_key, manifest_key, manifest_prefix, table_prefix
from entra_lake.schema import Stream
from entra_lake.settings import DetectionSettings
from entra_lake.slices import ONE_DAY, day_range, parse_day
from entra_lake.store_protocol import Store

#: News of so many days before a day lets its rules run again, where they read that far back.
FOLLOWED_DAYS = 2
#: Of the days that a rule wants the lake to hold before its own, so many must be there: a lost one must not
#: silence it for a month.
ENOUGH_HISTORY = 0.9
#: Codes of errors that pass by themselves.
_PASSING = {kind.code for kind in (AthenaUnavailableError, ConflictError, StoreUnavailableError)}
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class Held:
    """What the lake holds of some days.

    :param objects: stream and day to the ETag of the day's object, of the days that have a manifest.
    """

    objects: Mapping[tuple[str, date], str]

    def has(self, streams: Iterable[str], day: date) -> bool:
        """Tell whether all of these streams have been verified for the day."""
        return all((stream, day) in self.objects for stream in streams)

    def days(self, streams: Iterable[str]) -> list[date]:
        """Return the days for which all of these streams have been verified, oldest first."""
        names = tuple(streams)
        return sorted(day for day in {day for _, day in self.objects} if self.has(names, day))


def read_held(lake: Lake, first: date, last: date) -> Held:
    """Return what the lake holds of these days and the days around them: whole months are listed, nothing is opened."""
    months = sorted({f"{day:%Y-%m}" for day in day_range(first, last)})
    found: dict[tuple[str, date], str] = {}
    for stream in lake.streams:
        for month in months:
            objects = _days(lake.store, f"{table_prefix(stream)}dt={month}", stream, lake_key)
            manifests = _days(lake.store, f"{manifest_prefix(stream)}{month}", stream, manifest_key)
            found.update({(stream.name, day): etag for day, etag in objects.items() if day in manifests})
    return Held(found)


def why_not(detection: Detection, day: date, held: Held) -> str:
    """Return why the rule may not speak of the day; empty when it may."""
    for stream in detection.streams:
        if not held.has((stream,), day):
            return f"{stream} {day} is not verified"
    wanted = [day - ONE_DAY * age for age in range(1, detection.needs_history + 1)]
    there = sum(held.has(detection.streams, earlier) for earlier in wanted)
    if there < len(wanted) * ENOUGH_HISTORY:
        return f"the lake holds {there} of the {len(wanted)} days before {day}"
    return ""


def inputs_of(detection: Detection, day: date, held: Held, settings: DetectionSettings) -> str:
    """Return a hash of all that decides what the rule finds on the day; of the reason, where a setting is wrong."""
    first = day - ONE_DAY * min(detection.look_back, FOLLOWED_DAYS)
    read = [held.objects.get((stream, item), "") for stream in detection.streams for item in day_range(first, day)]
    try:
        statement = detection.render(day, settings)
    except ConfigurationError as error:
        statement = error.message
    told = [detection.title, detection.severity, detection.entity, statement, *read]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def owed(
    detections: Iterable[Detection], day: date, held: Held, done: Examination, settings: DetectionSettings
) -> list[tuple[Detection, str]]:
    """Return the rules that may speak of the day and have not, or not of what it holds now, with their inputs.

    A rule that failed is not tried again before something changes, unless its error was one that passes.
    """
    ready = [rule for rule in detections if not why_not(rule, day, held)]
    now = [(rule, inputs_of(rule, day, held, settings)) for rule in ready]
    return [(rule, inputs) for rule, inputs in now if not _is_done(done.rules.get(rule.id), inputs)]


def _is_done(ran: Ran | None, inputs: str) -> bool:
    return ran is not None and ran.inputs == inputs and ran.code not in _PASSING


def _days(store: Store, prefix: str, stream: Stream, key_of: Callable[[Stream, date], str]) -> dict[date, str]:
    """Return the days whose object lies below the prefix, and its ETag."""
    named = ((_DAY.search(item.key.removeprefix(prefix[: -len("2026-11")])), item) for item in store.list(prefix))
    found = {parse_day(match[0]): item for match, item in named if match}
    return {day: item.etag for day, item in found.items() if item.key == key_of(stream, day)}
