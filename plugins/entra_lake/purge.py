"""Take a person's records out of a day's raw parts, and leave tombstones in their place.

The tombstones are written first: from then on no reading and no build brings the records back, whatever happens to
this process. Parts are then written anew without the records, and the old ones removed in all of their versions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

import zstandard

from entra_lake.errors import DataError
from entra_lake.flatten import parse_record
from entra_lake.identity import identify
from entra_lake.lake import Lake
from entra_lake.layout import RawPart, erasure_key, is_erasure_key, raw_prefix
from entra_lake.moved import EDGE
from entra_lake.raw import RawDay, list_day, pack, read_part
from entra_lake.removal import StoredVersion, Versions
from entra_lake.schema import Stream
from entra_lake.scratch import scratch
from entra_lake.slices import ONE_DAY, Slice
from entra_lake.subject import Role, Subject, actors
from entra_lake.tombstones import Tombstones, hash_id
from entra_lake.windows import place, start_of_day

_MS = 1000


@dataclass(frozen=True, order=True)
class Mention:
    """A record that the person did not cause and that names them.

    :param event_time: ms since 1970; the day's start where the record names none.
    """

    event_time: int
    id: str


@dataclass(frozen=True, kw_only=True)
class Traces:
    """What a day's raw parts, in all of their versions, hold of a person.

    :param doomed: ids of the records to be erased, to where in the day they lie, ms since 1970.
    :param mentions: records that only name the person.
    :param seen_as: ids and sign-in names under which the person acted in the records to be erased.
    """

    stream: Stream
    day: date
    doomed: Mapping[str, int]
    mentions: tuple[Mention, ...] = ()
    seen_as: frozenset[str] = frozenset()


def find_traces(  # noqa: PLR0913 - whom, where, and how far
    lake: Lake, versions: Versions, stream: Stream, day: date, subject: Subject, *, targets: bool
) -> Traces:
    """Look for a person in everything that raw holds, or held, of a day.

    :param targets: whether records that only name the person are to be erased, too.
    :raises DataError: when a part cannot be read.
    """
    doomed: dict[str, int] = {}
    mentions: dict[str, int] = {}
    seen_as: set[str] = set()
    for version in _parts(versions, stream, day):
        for line in _lines_of(lake, versions, version, subject):
            record = parse_record(line)
            role = subject.role_in(record, stream)
            if role is Role.NONE:
                continue
            identity = identify(line, stream)
            chosen = doomed if role is Role.ACTOR or targets else mentions
            chosen[identity.id] = place(identity.event_time, start_of_day(day))
            if role is Role.ACTOR:
                seen_as |= {name.lower() for name in actors(record, stream)}
    left = tuple(sorted(Mention(at, name) for name, at in mentions.items() if name not in doomed))
    return Traces(stream=stream, day=day, doomed=doomed, mentions=left, seen_as=frozenset(seen_as))


def entomb(lake: Lake, traces: Traces) -> RawDay:
    """Write down which records of the day are erased, and which parts will be written anew; remove nothing yet.

    :returns: the day's raw, with all of its tombstones.
    """
    stream, day = traces.stream, traces.day
    raw = list_day(lake.store, stream, day)
    ids = frozenset(map(hash_id, traces.doomed)) - raw.erased.ids
    gone = replace(raw.erased, ids=raw.erased.ids | ids)
    parts = {
        old: new[0] if new else None
        for old, new in _rewritten(lake, stream, day, raw.parts, gone)
        if old not in raw.erased.parts
    }
    _write(lake, stream, day, Tombstones(ids=ids, parts=parts))
    for other, near in _edges(traces):
        known = list_day(lake.store, stream, other).erased
        _write(lake, stream, other, Tombstones(near=frozenset(map(hash_id, near)) - known.near - known.ids))
    return list_day(lake.store, stream, day)


def purge(lake: Lake, versions: Versions, stream: Stream, raw: RawDay, day: date) -> None:
    """Write the day's parts anew without what was erased, and remove the old ones in all of their versions."""
    for old, new in _rewritten(lake, stream, day, raw.parts, raw.erased):
        if new:
            lake.store.create(*new)  # None: this very part is there already
        for version in list(versions.list(old)):
            versions.remove(version)
    for version in _parts(versions, stream, day):
        if not version.is_latest and any(
            raw.erased.hold(identify(line, stream).id) for line in _lines(lake, versions, version)
        ):
            versions.remove(version)


def _rewritten(
    lake: Lake, stream: Stream, day: date, parts: Iterable[RawPart], gone: Tombstones
) -> Iterator[tuple[str, tuple[str, bytes] | None]]:
    """Yield the key of each part that holds erased records, and key and content of what is left of it."""
    for part in parts:
        lines = read_part(lake.store, part)
        found = [identify(line, stream) for line in lines]
        kept = [(line, item) for line, item in zip(lines, found, strict=True) if not gone.hold(item.id)]
        if len(kept) == len(lines):
            continue
        times = [place(item.event_time, start_of_day(day)) for _, item in kept]
        yield part.key, pack(stream, day, part.pass_id, [line for line, _ in kept], times) if kept else None


def _edges(traces: Traces) -> Iterator[tuple[date, list[str]]]:
    """Yield the neighbouring days, and the erased ids so near to them that Graph may move them there."""
    whole = Slice.of_day(traces.day)
    first = (whole.start + EDGE).timestamp() * _MS
    last = (whole.end - EDGE).timestamp() * _MS
    yield traces.day - ONE_DAY, [name for name, at in traces.doomed.items() if at < first]
    yield traces.day + ONE_DAY, [name for name, at in traces.doomed.items() if at >= last]


def _write(lake: Lake, stream: Stream, day: date, erased: Tombstones) -> None:
    if not erased.nothing or erased.parts:
        content = erased.to_bytes()
        lake.store.create(erasure_key(stream, day, content), content)


def _parts(versions: Versions, stream: Stream, day: date) -> list[StoredVersion]:
    """Return every version of every raw part of the day."""
    return [found for found in versions.list(raw_prefix(stream, day)) if not is_erasure_key(found.key)]


def _lines_of(lake: Lake, versions: Versions, version: StoredVersion, subject: Subject) -> Iterator[bytes]:
    """Yield the records that may concern the person."""
    lines = _lines(lake, versions, version)
    return (line for line in lines if subject.may_be_in(line))


def _lines(lake: Lake, versions: Versions, version: StoredVersion) -> list[bytes]:
    """Return the records of a version of a part; none when it is gone meanwhile.

    :raises DataError: when it cannot be read: what it holds cannot be known.
    """
    with scratch(lake.folder) as folder:
        path = folder / "part"
        if not versions.fetch(version, path):
            return []
        try:
            content = zstandard.decompress(path.read_bytes())
        except zstandard.ZstdError as error:
            message = (
                f"{lake.store.url(version.key)} (version {version.name or 'latest'}) cannot be read, so nobody can say "
                "whose records it holds. Remove that version, or restore the part; then erase again."
            )
            raise DataError(message) from error
    return [line for line in content.split(b"\n") if line]
