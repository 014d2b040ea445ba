"""Which rows a window's records are: one per id and content, with the number of its version."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from entra_lake.identity import canonical, identify
from entra_lake.layout import RawPart
from entra_lake.raw import read_part
from entra_lake.schema import Stream
from entra_lake.store_protocol import Store
from entra_lake.tombstones import Tombstones
from entra_lake.versions import Observation, Version, number_versions
from entra_lake.windows import Numbers, Records

#: id to all of its versions, where its records do not lie in one window.
Wanderers = Mapping[str, Sequence[Version]]


@dataclass(frozen=True)
class Rows:
    """The rows of a window, in the order of event time, id and version.

    :param records: the record of each row.
    :param ids: Graph's id, or `sha256:…` of the content.
    :param hashes: SHA-256 of the received bytes.
    :param versions: what is known of each row's version; None for the only version of an id, seen in one pass.
    """

    records: Records
    ids: list[str]
    hashes: list[str]
    versions: list[Version | None]
    id_numbers: Numbers


def resolve(records: Records, passes: Sequence[str], wanderers: Wanderers) -> Rows:
    """Return one row per id and content of the window's records."""
    hashes = [hashlib.sha256(line).hexdigest() for line in records.lines]
    ids = [name or f"sha256:{sha256}" for name, sha256 in zip(records.names, hashes, strict=True)]
    numbers = id_numbers(ids)
    versions: list[Version | None] = [None] * len(ids)
    dropped: set[int] = set()
    for name, places in _repeated(ids, numbers, wanderers).items():
        known = wanderers.get(name) or number_versions(
            {Observation(passes[records.passes[place]], hashes[place]) for place in places},
            _Contents({hashes[place]: records.lines[place] for place in places}),
        )
        waiting = {version.sha256: version for version in known}
        for place in places:
            versions[place] = waiting.pop(hashes[place], None)
            if versions[place] is None:
                dropped.add(place)
    order = _order(records.times, ids, versions, dropped)
    chosen = order.tolist()
    return Rows(
        records=records.take(order),
        ids=[ids[place] for place in chosen],
        hashes=[hashes[place] for place in chosen],
        versions=[versions[place] for place in chosen],
        id_numbers=np.unique(numbers),
    )


def spared(records: Records, erased: Tombstones) -> Records:
    """Return the records that were not erased."""
    if erased.nothing:
        return records
    kept = [
        number
        for number, (name, line) in enumerate(zip(records.names, records.lines, strict=True))
        if not erased.hold(name or f"sha256:{hashlib.sha256(line).hexdigest()}")
    ]
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

    def __call__(self, sha256: str) -> str:
        return canonical(self._lines[sha256])


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


def _order(times: Numbers, ids: Sequence[str], versions: Sequence[Version | None], dropped: Iterable[int]) -> Numbers:
    """Return the places of the rows in their order."""
    by_version = sorted(range(len(ids)), key=lambda place: version.number if (version := versions[place]) else 1)
    by_id = np.array(sorted(by_version, key=ids.__getitem__), dtype=np.int64)
    order: Numbers = by_id[np.argsort(times[by_id], kind="stable")]
    gone = np.fromiter(dropped, dtype=np.int64)
    return order[~np.isin(order, gone)] if gone.size else order
