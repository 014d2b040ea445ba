"""A record as the tenant knows it: an id, and what its content was from when on."""

from __future__ import annotations

from typing import NamedTuple


class Version(NamedTuple):
    """One content of a record; all instants in ticks."""

    visible_at: int
    ticks: int
    body: bytes


class Seen(NamedTuple):
    """What a listing shows of a record at one instant.

    :param changes: whether the record has, had or will have other contents.
    """

    ticks: int
    id: str
    body: bytes
    changes: bool = False


class Row(NamedTuple):
    """A record with all its versions, the first to become visible first."""

    ticks: int
    id: str
    versions: tuple[Version, ...]

    def at(self, snapshot: int) -> Seen | None:
        """Return the content that is current at the snapshot; None while the record is not visible."""
        current = None
        for version in self.versions:
            if version.visible_at > snapshot:
                break
            current = version
        return None if current is None else Seen(current.ticks, self.id, current.body, len(self.versions) > 1)
