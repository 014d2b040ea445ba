"""Look for a person in everything that is not built from raw: findings, Athena's answers, notes about mails."""

from __future__ import annotations

import io
from dataclasses import dataclass
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from entra_lake.errors import ConflictError
from entra_lake.lake import Lake
from entra_lake.layout import FINDINGS_PREFIX
from entra_lake.removal import StoredVersion, Versions, versions_of
from entra_lake.rewriting import rewrite
from entra_lake.scratch import scratch
from entra_lake.sightings import is_named_in_file, naming_rows
from entra_lake.store import S3Store
from entra_lake.subject import Subject

#: raw/ and what is built from it are purged by their tombstones; the others hold counts, times, keys and hashes.
_NOT_SWEPT = ("raw/", "lake/", "staging/", "checkpoints/", "manifests/", "budget/")


@dataclass(frozen=True)
class Swept:
    """What a sweep has done.

    :param removed: objects, or older versions of some, that were removed.
    :param rows: rows that were taken out of findings.
    :param left: addresses of what names the person and has to be looked at by hand.
    """

    removed: int = 0
    rows: int = 0
    left: tuple[str, ...] = ()


def sweep_answers(lake: Lake, subject: Subject) -> Swept:
    """Remove Athena's answers that name the person, in all of their versions."""
    location = lake.athena.output_location() if lake.to_dir is None else None
    if location is None:
        return Swept()
    place = urlsplit(location)
    store = S3Store(lake.aws.client("s3"), place.netloc, place.path)
    if lake.store.url("").startswith(store.url("")):
        return Swept(left=(f"{location}: Athena's answers lie among the lake's own objects",))
    versions, removed, left = versions_of(store), 0, list[str]()
    for version in versions.list(""):
        named = _is_named(lake, versions, version, subject)
        if named is None:
            left.append(f"{store.url(version.key)}: unreadable")
        elif named:
            versions.remove(version)
            removed += 1
    return Swept(removed=removed, left=tuple(left))


def sweep_rest(lake: Lake, versions: Versions, subject: Subject) -> Swept:
    """Take the person out of findings, remove older versions that name them, and say what else does."""
    rows = sum(_spare_rows(lake, found.key, subject) for found in list(lake.store.list(FINDINGS_PREFIX)))
    removed, left = 0, list[str]()
    for version in versions.list(""):
        if version.key.startswith(_NOT_SWEPT):
            continue
        named = _is_named(lake, versions, version, subject)
        if named and not version.is_latest:
            versions.remove(version)
            removed += 1
        elif named or named is None:
            left.append(f"{lake.store.url(version.key)}{'' if named else ': unreadable'}")
    return Swept(removed=removed, rows=rows, left=tuple(left))


def _spare_rows(lake: Lake, key: str, subject: Subject) -> int:
    """Write an object of findings anew without the rows that name the person; return how many there were.

    :raises ConflictError: when others kept writing it.
    """
    if not key.endswith(".parquet"):
        return 0
    rows = 0

    def spared(content: bytes | None) -> bytes | None:
        nonlocal rows
        rows = 0
        if content is None:
            return None
        table = pq.read_table(io.BytesIO(content))
        named = naming_rows(table, subject)
        rows = int(named.sum())
        return _parquet(table.filter(pa.array(~named))) if rows else None

    if not rewrite(lake.store, key, spared):
        message = f"{lake.store.url(key)} was written by others each time. Erase again later."
        raise ConflictError(message)
    return rows


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _is_named(lake: Lake, versions: Versions, version: StoredVersion, subject: Subject) -> bool | None:
    """Tell whether a version names the person; None when it cannot be read."""
    with scratch(lake.folder) as folder:
        path = folder / "version"
        if not versions.fetch(version, path):
            return False
        try:
            return is_named_in_file(path, subject)
        except (ValueError, OSError):
            return None
