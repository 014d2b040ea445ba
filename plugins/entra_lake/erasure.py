"""Erasure of a person: their records leave raw, the lake, findings and answers for good, and cannot come back.

Each step may be repeated. The tombstones of all days are written before anything is removed, and a day is finished
when its object is built from what raw holds now, acknowledged, and no older version holds an erased record. So an
erasure that was interrupted is completed by running it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from entra_lake.audit import day_of_name
from entra_lake.build import is_current
from entra_lake.checkpoints import Checkpoints
from entra_lake.errors import DataError, EntraLakeError
from entra_lake.extract import read_manifest
from entra_lake.footer import read_footer
from entra_lake.lake import Lake, find_claim
from entra_lake.layout import lake_key, partition_prefix, pass_start, staging_prefix
from entra_lake.purge import Traces, entomb, find_traces, purge
from entra_lake.raw import RawDay, list_day
from entra_lake.rebuild import rebuild_day
from entra_lake.removal import StoredVersion, Versions, versions_of
from entra_lake.schema import Stream
from entra_lake.scratch import scratch
from entra_lake.sightings import holds_erased
from entra_lake.streams import STREAMS
from entra_lake.subject import Subject
from entra_lake.tombstones import Tombstones

#: A pass that began so long ago and is not complete will not go on.
_PASS_LASTS = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class ErasedDay:
    """What became of one day of one stream.

    :param traces: what raw held of the person; None where that could not be found out.
    :param done: `erased`, `finished` (of an earlier erasure), `found` (nothing was changed); empty on an error.
    :param is_busy: whether a pass over the day is under way: what it writes next was not looked at.
    """

    stream: Stream
    day: date
    traces: Traces | None = None
    done: str = ""
    is_busy: bool = False
    error: EntraLakeError | None = None


def search(lake: Lake, subject: Subject, *, targets: bool) -> Iterator[ErasedDay]:
    """Look for the person in every day that raw holds, or held; change nothing.

    :raises DataError: when there is no lake.
    :raises WrongTenantError: when it is another tenant's.
    """
    _check_lake(lake)
    versions = versions_of(lake.store)
    for stream in STREAMS.values():
        for day in raw_days(versions, stream):
            found = _search(lake, versions, stream, day, subject, targets=targets)
            if found.error or (found.traces and (found.traces.doomed or found.traces.mentions)):
                yield found


def erase(lake: Lake, found: Iterable[ErasedDay]) -> Iterator[ErasedDay]:
    """Erase what a search has found, and finish what earlier erasures have left; a failed day stops no other.

    :param found: all of what the search has found: the tombstones of all days come first.
    """
    versions = versions_of(lake.store)
    days = {(item.stream, item.day): item for item in found}
    failed = {key: item for key, item in days.items() if item.error}
    for key, item in days.items():
        if item.traces and item.traces.doomed:
            try:
                entomb(lake, item.traces)
            except EntraLakeError as error:
                failed[key] = ErasedDay(stream=item.stream, day=item.day, traces=item.traces, error=error)
    yield from failed.values()
    for stream in STREAMS.values():
        for day in raw_days(versions, stream):
            if (stream, day) not in failed and (done := _erase(lake, versions, stream, day, days.get((stream, day)))):
                yield done


def raw_days(versions: Versions, stream: Stream) -> list[date]:
    """Return the days of which raw holds something, in any version."""
    prefix = f"raw/{stream.name}/"
    names = {found.key.removeprefix(prefix).partition("/")[0] for found in versions.list(prefix)}
    return sorted(day for name in names if (day := day_of_name(name, "dt={}")))


def _check_lake(lake: Lake) -> None:
    if find_claim(lake) is None:
        message = f"There is no lake at {lake.store.url('')}. Correct --lake or --to-dir."
        raise DataError(message)


def _search(  # noqa: PLR0913 - whom, where, and how far
    lake: Lake, versions: Versions, stream: Stream, day: date, subject: Subject, *, targets: bool
) -> ErasedDay:
    try:
        traces = find_traces(lake, versions, stream, day, subject, targets=targets)
    except EntraLakeError as error:
        return ErasedDay(stream=stream, day=day, error=error)
    return ErasedDay(stream=stream, day=day, traces=traces, done="found", is_busy=_is_busy(lake, stream, day))


def _erase(lake: Lake, versions: Versions, stream: Stream, day: date, found: ErasedDay | None) -> ErasedDay | None:
    """Bring one day to its end; None where nothing of it was ever erased."""
    traces = found.traces if found else None
    try:
        raw = list_day(lake.store, stream, day)
        if raw.erased.nothing:
            return found
        purge(lake, versions, stream, raw, day)
        is_built = _build(lake, stream, day)
        removed = _remove_builds(lake, versions, stream, day, raw.erased)
    except EntraLakeError as error:
        return ErasedDay(stream=stream, day=day, traces=traces, error=error)
    if not found and not is_built and not removed:
        return None
    done = "erased" if traces and traces.doomed else "finished"
    return ErasedDay(stream=stream, day=day, traces=traces, done=done, is_busy=_is_busy(lake, stream, day))


def _build(lake: Lake, stream: Stream, day: date) -> bool:
    """Make the day's object what raw gives now, and acknowledge it; tell whether that was needed."""
    raw = list_day(lake.store, stream, day)
    if _is_built(lake, stream, day, raw):
        return False
    rebuild_day(lake, stream, day)
    return True


def _is_built(lake: Lake, stream: Stream, day: date, raw: RawDay) -> bool:
    """Tell whether the day's object and manifest are up to date, or the day was never loaded."""
    try:
        held = read_footer(lake.store, lake_key(stream, day))
    except DataError:
        return False
    acknowledged = read_manifest(lake, stream, day)
    if held is None or acknowledged is None:
        return held is None and acknowledged is None
    return is_current(held[0], stream, raw) and acknowledged[0].object.get("etag") == held[1].etag


def _remove_builds(lake: Lake, versions: Versions, stream: Stream, day: date, erased: Tombstones) -> int:
    """Remove the versions of the day's builds that hold an erased record; return how many there were."""
    removed = 0
    for prefix in (partition_prefix(stream, day), staging_prefix(stream, day)):
        for version in versions.list(prefix):
            is_current_one = version.is_latest and version.key == lake_key(stream, day)
            if not is_current_one and _holds_erased(lake, versions, version, erased):
                versions.remove(version)
                removed += 1
    return removed


def _holds_erased(lake: Lake, versions: Versions, version: StoredVersion, erased: Tombstones) -> bool:
    with scratch(lake.folder) as folder:
        path = folder / "build.parquet"
        if not versions.fetch(version, path):
            return False
        try:
            return holds_erased(path, erased)
        except ValueError as error:
            message = (
                f"{lake.store.url(version.key)} (version {version.name or 'latest'}) is no build of Entra Lake, so "
                "nobody can say whose records it holds. Remove that version; then erase again."
            )
            raise DataError(message) from error


def _is_busy(lake: Lake, stream: Stream, day: date) -> bool:
    since = lake.clock.now() - _PASS_LASTS
    passes = Checkpoints(lake.store, stream, day).names()
    return any(
        "complete.json" not in documents and "pass.json" in documents and pass_start(name) > since
        for name, documents in passes.items()
    )
