"""Rebuild: the lake's objects from raw, when they are gone, damaged, or made by older rules.

Raw is the truth. Each day is built in bounded memory, put into the lake under a condition, registered
in Athena and acknowledged; a build that holds fewer ids than were acknowledged is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from entra_lake.acknowledge import acknowledge
from entra_lake.audit import audit_day, day_of_name, hash_object, manifest_days
from entra_lake.build import Built, build_day, is_current
from entra_lake.checks import read_claims
from entra_lake.errors import ConflictError, DataError, EntraLakeError, ShrinkRefusedError
from entra_lake.footer import read_footer
from entra_lake.lake import Lake
from entra_lake.lake_facts import is_let_go
from entra_lake.layout import is_erasure_key, lake_key, manifest_key
from entra_lake.load import MOST_RACES
from entra_lake.manifest import Manifest
from entra_lake.raw import list_day
from entra_lake.schema import Stream
from entra_lake.scratch import scratch
from entra_lake.store import ABSENT, StoredObject, hash_content
from entra_lake.store_protocol import Store
from entra_lake.tables import prepare, repair_partitions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rebuilt:
    """What became of one day of one stream.

    :param done: `rebuilt`, `registered` (the object was right, the rest was not), `up to date`; empty on an error.
    """

    stream: Stream
    day: date
    done: str = ""
    manifest: Manifest | None = None
    error: EntraLakeError | None = None


def rebuild(lake: Lake, streams: Sequence[Stream], day: date | None = None) -> Iterator[Rebuilt]:
    """Rebuild a day, or every day that raw or a manifest knows; a failed day does not stop the others.

    Days older than `keep_days` are left out of 'every': their raw parts outlive what was built from them.

    :raises DataError: when there is nothing to build from.
    """
    found = {stream: days_to_build(lake.store, stream) for stream in streams}
    chosen = sorted({each for days in found.values() for each in days if _is_chosen(lake, each, day)})
    if not chosen:
        message = f"There is nothing to build from at {lake.store.url('raw/')}. Correct --lake, --to-dir or --day."
        raise DataError(message)
    prepare(lake)
    for each in chosen:
        for stream in streams:
            if each in found[stream]:
                yield _attempt(lake, stream, each)


def _is_chosen(lake: Lake, each: date, day: date | None) -> bool:
    return each == day if day else not is_let_go(each, lake.clock.now(), lake.settings.keep_days)


def days_to_build(store: Store, stream: Stream) -> set[date]:
    """Return the days of the stream that have raw parts or a manifest: a day without records has no parts."""
    prefix = f"raw/{stream.name}/"
    keys = (found.key for found in store.list(prefix))
    names = {key.removeprefix(prefix).partition("/")[0] for key in keys if not is_erasure_key(key)}
    return {day for name in names if (day := day_of_name(name, "dt={}"))} | set(manifest_days(store, stream))


def rebuild_day(lake: Lake, stream: Stream, day: date) -> Rebuilt:
    """Make the day's object what raw gives, register its partition and acknowledge it; do nothing where all is right.

    :raises ShrinkRefusedError: when raw gives fewer ids than were acknowledged.
    :raises DataError: when raw is damaged.
    :raises ConflictError: when other runs loaded the day first, time and again.
    """
    if manifest := _is_right(lake, stream, day):
        return Rebuilt(stream, day, "up to date", manifest)
    is_new = _put_build(lake, stream, day)
    repair_partitions(lake, stream, day)
    return Rebuilt(stream, day, "rebuilt" if is_new else "registered", acknowledge(lake, stream, day))


def _attempt(lake: Lake, stream: Stream, day: date) -> Rebuilt:
    try:
        return rebuild_day(lake, stream, day)
    except EntraLakeError as error:
        log.error("%s %s: %s", stream.name, day, error)  # noqa: TRY400 - the message says all
        return Rebuilt(stream, day, error=error)


def _is_right(lake: Lake, stream: Stream, day: date) -> Manifest | None:
    """Return the manifest of a day at which the audit finds nothing and which these rules would build the same."""
    found = audit_day(lake, stream, day)
    if found is None or found.faults:
        return None
    held = read_footer(lake.store, lake_key(stream, day))
    if held and is_current(held[0], stream, list_day(lake.store, stream, day)):
        return _manifest(lake, stream, day)
    return None


def _put_build(lake: Lake, stream: Stream, day: date) -> bool:
    """Put what raw gives into the lake; tell whether that changed anything."""
    key = lake_key(stream, day)
    with scratch(lake.folder) as folder:
        for _ in range(MOST_RACES):
            # Both are read before raw is listed: who has listed less must lose, and raw then holds all that is known.
            found = lake.store.look(key)
            known = max(_acknowledged_ids(lake, stream, day), _held_ids(lake, stream, day))
            raw = list_day(lake.store, stream, day)
            built = build_day(lake.store, stream, day, lake.tenant_id, folder / "rebuilt.parquet", raw)
            _refuse_shrinking(key, built, known)
            if found and _holds(lake.store, found, built.path):
                return False
            if lake.store.replace(key, built.path, found.etag if found else ABSENT):
                return True
    message = f"{stream.name} {day}: other runs loaded the day {MOST_RACES} times meanwhile. Run it again later."
    raise ConflictError(message)


def _holds(store: Store, found: StoredObject, path: Path) -> bool:
    try:
        return hash_object(store, found) == hash_content(path)
    except ConflictError:
        return False  # the condition of the write will fail


def _refuse_shrinking(key: str, built: Built, known: int) -> None:
    """Guard what was acknowledged, and what an object of ours holds, against a raw zone that has lost records."""
    footer = built.footer
    if footer.ids_ever < known:
        message = (
            f"{key}: {known - footer.erased} ids are known, and building it from raw gives only {footer.ids}. "
            "Nothing was changed. Restore the day's deleted objects below raw/ from their noncurrent versions, then "
            "rebuild the day again."
        )
        raise ShrinkRefusedError(message)


def _acknowledged_ids(lake: Lake, stream: Stream, day: date) -> int:
    manifest = _manifest(lake, stream, day)
    return int(manifest.object["ids"]) + int(manifest.object.get("erased", 0)) if manifest else 0


def _held_ids(lake: Lake, stream: Stream, day: date) -> int:
    """Return how many ids the object says it held; none where it is not ours or cannot be read."""
    try:
        found = read_footer(lake.store, lake_key(stream, day))
    except DataError:
        return 0
    return found[0].ids_ever if found else 0


def _manifest(lake: Lake, stream: Stream, day: date) -> Manifest | None:
    found = lake.store.read(manifest_key(stream, day))
    return read_claims(found[0], lake.store.url(manifest_key(stream, day)))[0] if found else None
