"""Which rows a window's records are: one per id and content, with the number of its version."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import numpy as np

from entra_lake.cells import Numbers, in_order
from entra_lake.identity import canonical, identify
from entra_lake.layout import RawPart
from entra_lake.raw import read_part
from entra_lake.schema import Stream
from entra_lake.store_protocol import Store
from entra_lake.tombstones import Tombstones
from entra_lake.versions import Observation, Version, number_versions
from entra_lake.windows import Records

#: id to all of its versions, where its records do not lie in one window.
Wanderers = Mapping[str, Sequence[Version]]


_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True)
class Rows:
    """The rows of a window, in the order of event time, id and version.

    :param records: the record of each row.
    :param versions: row to what is known of its version; the others are the only version of their id, seen in one pass.
    :param id_numbers: a number per id.
    """

    records: Records
    versions: Mapping[int, Version]
    id_numbers: Numbers


def resolve(records: Records, passes: Sequence[str], wanderers: Wanderers) -> Rows:
    """Return one row per id and content of the window's records."""
    numbers = id_numbers(records.ids)
    versions: dict[int, Version] = {}
    dropped: set[int] = set()
    repeated = _repeated(records.ids, numbers, wanderers)
    sha256 = records.sha256_of([place for places in repeated.values() for place in places])
    for name, places in repeated.items():
        known = wanderers.get(name) or number_versions(
            {Observation(passes[records.passes[place]], sha256[place]) for place in places},
            _Contents({sha256[place]: bytes(records.lines[place]) for place in places}),
        )
        waiting = {version.sha256: version for version in known}
        for place in places:
            if version := waiting.pop(sha256[place], None):
                versions[place] = version
            else:
                dropped.add(place)
    order = _order(records.times, records.ids, versions, dropped)
    if order is None:
        return Rows(records, versions, np.unique(numbers))
    rows = {place: row for row, place in enumerate(order.tolist()) if place in versions} if versions else {}
    return Rows(
        records=records.take(order),
        versions={rows[place]: version for place, version in versions.items()},
        id_numbers=np.unique(numbers),
    )


def spared(records: Records, erased: Tombstones) -> Records:
    """Return the records that were not erased."""
    if erased.nothing:
        return records
    kept = [number for number, name in enumerate(records.ids) if not erased.hold(name)]
    return records if len(kept) == len(records) else records.take(np.array(kept, dtype=np.int64))


def find_wanderers(store: Store, stream: Stream, parts: Sequence[RawPart], numbers: frozenset[int]) -> Wanderers:
    """Return all versions of the ids of these numbers, over all parts."""
    seen: dict[str, set[Observation]] = {}
    lines: dict[str, bytes] = {}
    for part in parts:
        for line in read_part(store, part):
            identity = identify(line, stream)
            if hash(identity.id) in numbers:
                seen.setdefault(identity.id, set()).add(Observation(part.pass_id, identity.sha256))
                lines[identity.sha256] = line
    contents = _Contents(lines)
    return {name: number_versions(observations, contents) for name, observations in seen.items()}


def id_numbers(ids: Sequence[str]) -> Numbers:
    """Return a number per id: equal ids, equal numbers, in one process."""
    return np.fromiter(map(hash, ids), dtype=np.int64, count=len(ids))


class _Contents:
    """Canonical contents by hash; parsed only when two hashes must be compared."""

    def __init__(self, lines: Mapping[str, bytes]) -> None:
        self._lines = lines

    def __call__(self, sha256: str) -> str | bytes:
        return self._keys[sha256]

    @cached_property
    def _keys(self) -> Mapping[str, str | bytes]:
        """Make all in the same way: the quick one knows no other equality, but writes other texts."""
        quick = quick_contents(list(self._lines.values()))
        if quick is None:
            return {sha256: canonical(line) for sha256, line in self._lines.items()}
        return dict(zip(self._lines, quick, strict=True))


def quick_contents(lines: Sequence[bytes]) -> list[bytes] | None:
    """Return texts that are equal exactly where `canonical` ones of these lines are; None where only those can tell.

    A record that changes keeps most of its members as they were: only those are read whose bytes differ.
    """
    try:
        records = [_MEMBERS.decode(line) for line in lines]
        first, same = records[0], set(records[0])
        for other in records[1:]:
            same = {name for name in same if other.get(name) == first[name]}
        return [_text(record, same) for record in records]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _text(record: Mapping[str, msgspec.Raw], same: Container[str]) -> bytes:
    found = {name: msgspec.json.decode(text) for name, text in record.items() if name not in same}
    return msgspec.json.encode(found, order="sorted")


def _repeated(ids: Sequence[str], numbers: Numbers, wanderers: Wanderers) -> dict[str, list[int]]:
    """Return the ids that need a closer look, and where they stand."""
    _, first, counts = np.unique(numbers, return_index=True, return_counts=True)
    several = set(numbers[first[counts > 1]].tolist()) | set(id_numbers(list(wanderers)).tolist())
    found: dict[str, list[int]] = {}
    if several:
        for place, number in enumerate(numbers.tolist()):
            if number in several:
                found.setdefault(ids[place], []).append(place)
    return found


def _order(
    times: Numbers, ids: Sequence[str], versions: Mapping[int, Version], dropped: Collection[int]
) -> Numbers | None:
    """Return the places of the rows in their order; None where all stand in it."""
    later = {place: version.number for place, version in versions.items() if version.number > 1}
    if not later and not dropped:
        return in_order(times, ids)
    keys: list[tuple[Any, ...]] = list(zip(times.tolist(), ids, strict=True))
    for place, number in later.items():
        keys[place] = (*keys[place], number)
    order = sorted((place for place in range(len(ids)) if place not in dropped), key=keys.__getitem__)
    return np.array(order, dtype=np.int64)
