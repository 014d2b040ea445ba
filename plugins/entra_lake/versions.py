"""Versions of a record: one per content under one id, numbered in the order they were observed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from entra_lake.layout import pass_start


@dataclass(frozen=True, slots=True, order=True)
class Observation:
    """One content of a record, brought by one pass; they sort in the order of observing."""

    pass_id: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Version:
    """One content under one id.

    :param sha256: hash of the bytes in which this content was observed first.
    :param number: 1 for the content observed first.
    :param is_latest: True for the content observed last: after A, B, A it is A again.
    """

    sha256: str
    number: int
    is_latest: bool
    first_seen_at: datetime
    last_seen_at: datetime


def number_versions(observations: Iterable[Observation], content: Callable[[str], str | bytes]) -> list[Version]:
    """Return the versions of one id.

    :param observations: all that is known of this id, in any order.
    :param content: gives the canonical content of the bytes with this SHA-256; asked only when bytes
        differ. Bytes that differ while their parsed values are equal make no new version.
    """
    ordered = sorted(observations)
    if len({seen.sha256 for seen in ordered}) == 1:
        return [_version(ordered, 1, is_latest=True)]
    groups: dict[str | bytes, list[Observation]] = {}
    contents: dict[str, str | bytes] = {}
    for seen in ordered:
        key = contents.get(seen.sha256) or contents.setdefault(seen.sha256, content(seen.sha256))
        groups.setdefault(key, []).append(seen)
    latest = contents[ordered[-1].sha256]
    numbered = enumerate(groups.items(), start=1)
    return [_version(group, number, is_latest=key == latest) for number, (key, group) in numbered]


def _version(group: list[Observation], number: int, *, is_latest: bool) -> Version:
    first, last = group[0], group[-1]
    return Version(first.sha256, number, is_latest, pass_start(first.pass_id), pass_start(last.pass_id))
