"""Commit a day's manifest, also where there is no Athena: then the Parquet object itself is counted."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

import numpy as np
import pyarrow.parquet as pq

from entra_lake.errors import ConflictError, CountMismatchError, DataError
from entra_lake.extract import read_manifest
from entra_lake.footer import Footer, open_parquet, read_footer
from entra_lake.lake import Lake
from entra_lake.layout import lake_key, manifest_key
from entra_lake.manifest import Manifest, add_passes, manifest_hash
from entra_lake.schema import Stream
from entra_lake.slices import iso
from entra_lake.store import StoredObject

# Which passes a manifest may acknowledge is decided in one place only.
from entra_lake.verify import MOST_RACES, _acknowledged, verify

#: What a manifest says of Athena where the lake is a plain folder.
SKIPPED = "A plain folder has no Athena. Rows and ids were counted in the Parquet object."


def acknowledge(lake: Lake, stream: Stream, day: date) -> Manifest:
    """Prove that the day's rows are all there, and commit the manifest: with Athena, or without one in a folder.

    :raises CountMismatchError: when rows or ids are not those that the object's footer names.
    :raises DataError: when there is no object.
    :raises ConflictError: when the object kept being replaced meanwhile.
    """
    if lake.to_dir is None:
        return verify(lake, stream, day)
    for _ in range(MOST_RACES):
        manifest = _acknowledge_file(lake, stream, day)
        if manifest:
            return manifest
    message = f"{stream.name} {day}: the day was loaded again each time it was verified. Trying again later."
    raise ConflictError(message)


def count_file(file: pq.ParquetFile) -> tuple[int, int]:
    """Return how many rows and ids a Parquet file holds, read in its row groups; 8 bytes of memory a row."""
    hashes = [_hashes(file, number) for number in range(file.num_row_groups)]
    ids = np.unique(np.concatenate(hashes)).size if hashes else 0
    return sum(map(len, hashes)), int(ids)


def _hashes(file: pq.ParquetFile, group: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    ids = file.read_row_group(group, columns=["id"])["id"]
    return np.fromiter((hash(name) for name in ids.to_pylist()), np.int64, count=len(ids))


def _acknowledge_file(lake: Lake, stream: Stream, day: date) -> Manifest | None:
    """Count the object and write the manifest over the one that was read; None when another run was first."""
    found = read_footer(lake.store, lake_key(stream, day))
    if found is None:
        message = f"{lake.store.url(lake_key(stream, day))} does not exist. Run the day again."
        raise DataError(message)
    try:
        counted = count_file(open_parquet(lake.store, found[1]))
    except ConflictError:
        return None
    _compare(stream, day, found[0], counted)
    previous = read_manifest(lake, stream, day)
    manifest = _manifest(lake, stream, day, *found, previous=previous)
    etag = previous[2] if previous else None
    written = lake.store.replace(manifest_key(stream, day), manifest.to_bytes(), etag)
    return manifest if written else None


def _compare(stream: Stream, day: date, footer: Footer, counted: tuple[int, int]) -> None:
    if counted != (footer.rows, footer.ids):
        message = (
            f"{stream.name} {day}: the Parquet object holds {counted[0]} rows and {counted[1]} ids, and its footer "
            f"names {footer.rows} and {footer.ids}. Build the day again from raw: rebuild --day {day}."
        )
        raise CountMismatchError(message)


def _manifest(  # noqa: PLR0913, PLR0917 - what a manifest is made of
    lake: Lake,
    stream: Stream,
    day: date,
    footer: Footer,
    found: StoredObject,
    previous: tuple[Manifest, bytes, str] | None,
) -> Manifest:
    facts = {name: value for name, value in asdict(footer).items() if name not in {"drift", "lateness"}}
    return Manifest(
        stream=stream.name,
        day=str(day),
        tenant_id=lake.tenant_id,
        committed_at=iso(lake.clock.now()),
        retention_days=lake.settings.retention_days,
        passes=add_passes(previous[0].passes if previous else (), _acknowledged(lake, stream, day, footer)),
        object={"key": found.key, "etag": found.etag, "size": found.size, "sha256": found.sha256, **facts},
        athena={"skipped": SKIPPED, "rows": footer.rows, "ids": footer.ids},
        drift=footer.drift,
        lateness=footer.lateness,
        previous_sha256=manifest_hash(previous[1]) if previous else None,
    )
