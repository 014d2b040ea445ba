"""What a lake says of itself: what it promises, and the manifests of its days."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import date

from entra_lake.lake import Lake, claim_lake, find_claim
from entra_lake.lake_facts import LakeFacts
from entra_lake.layout import manifest_key
from entra_lake.manifest import Manifest
from entra_lake.retention import named_retention
from entra_lake.streams import get_stream

#: Manifests are small: most of the time goes into waiting for S3.
_READERS = 8


def read_facts(lake: Lake) -> LakeFacts:
    """Return what the lake promises; a new lake is begun, another tenant's refused.

    :raises WrongTenantError: when the lake was begun for another tenant.
    """
    return LakeFacts.read(claim_lake(lake), lake.settings, named_retention(lake))


def find_facts(lake: Lake) -> LakeFacts | None:
    """Return what the lake promises; None when no run has begun it. Writes nothing."""
    claim = find_claim(lake)
    return LakeFacts.read(claim, lake.settings, named_retention(lake)) if claim else None


def read_manifests(lake: Lake, days: Iterable[date]) -> dict[tuple[str, date], Manifest]:
    """Return the manifests of these days of all of the lake's streams; days without one are left out."""
    wanted = [(stream.name, day) for day in days for stream in lake.streams]
    with ThreadPoolExecutor(_READERS) as pool:
        found = pool.map(lambda item: lake.store.read(manifest_key(get_stream(item[0]), item[1])), wanted)
        return {key: Manifest.from_bytes(content[0]) for key, content in zip(wanted, found, strict=True) if content}
