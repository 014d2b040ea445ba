"""The commit of a day: which passes its object holds whole, and the manifest that acknowledges them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, replace
from datetime import date
from typing import Any

from entra_lake.checkpoints import Checkpoints
from entra_lake.errors import ConflictError, DataError
from entra_lake.extract import read_manifest
from entra_lake.footer import Footer, read_footer
from entra_lake.lake import Lake
from entra_lake.layout import lake_key, manifest_key, parts_hash
from entra_lake.manifest import Manifest, add_passes, manifest_hash
from entra_lake.moved import count_moved
from entra_lake.passes import PassReport, summarise
from entra_lake.raw import RawDay, list_day
from entra_lake.schema import Stream
from entra_lake.slices import iso
from entra_lake.store import StoredObject

#: Replacements of the object, or of the manifest, while it was verified, after which verify gives up.
MOST_RACES = 6
#: What the footer says of the rows, and the manifest apart from the object.
_APART = ("drift", "lateness")


def until_committed(stream: Stream, day: date, attempt: Callable[[], Manifest | None]) -> Manifest:
    """Return the manifest of the first attempt that no other run disturbed.

    :raises ConflictError: when each of them was disturbed.
    """
    for _ in range(MOST_RACES):
        if manifest := attempt():
            return manifest
    message = f"{stream.name} {day}: the day was loaded again each time it was verified. Trying again later."
    raise ConflictError(message)


def read_object(lake: Lake, stream: Stream, day: date) -> tuple[Footer, StoredObject]:
    """Return footer and facts of the day's object.

    :raises DataError: when there is none.
    """
    found = read_footer(lake.store, lake_key(stream, day))
    if found is None:
        message = f"{lake.store.url(lake_key(stream, day))} does not exist. Run the task load of this day again."
        raise DataError(message)
    return found


def commit(  # noqa: PLR0913, PLR0917 - what a manifest is made of
    lake: Lake, stream: Stream, day: date, footer: Footer, found: StoredObject, counted: Mapping[str, Any]
) -> Manifest | None:
    """Write the manifest over the one that was read.

    :param counted: what Athena, or who counts in its place, has found.
    :returns: the manifest; None when another run was first.
    """
    previous = read_manifest(lake, stream, day)
    old = previous[0] if previous else None
    facts = asdict(footer)
    manifest = Manifest(
        stream=stream.name,
        day=str(day),
        tenant_id=lake.tenant_id,
        committed_at=iso(lake.clock.now()),
        retention_days=lake.settings.retention_days,
        passes=_passes(lake, stream, day, footer, found, old),
        object={
            **{name: getattr(found, name) for name in ("key", "etag", "size", "sha256")},
            **{name: value for name, value in facts.items() if name not in _APART},
        },
        athena=counted,
        drift=footer.drift,
        lateness=footer.lateness,
        reread_ages=tuple(lake.settings.reread_ages),
        dropped=old.dropped if old else (),
    )
    return _replace(lake, stream, day, manifest, previous)


def note_dropped(lake: Lake, stream: Stream, day: date, age: int) -> Manifest | None:
    """Write into the manifest that the request budget could not pay the reading at this age, unless it says so.

    :returns: the manifest as it is now; None when there is none, or another run replaced it meanwhile.
    """
    previous = read_manifest(lake, stream, day)
    if previous is None or age in previous[0].dropped:
        return previous[0] if previous else None
    dropped = tuple(sorted({*previous[0].dropped, age}))
    manifest = replace(previous[0], dropped=dropped, committed_at=iso(lake.clock.now()))
    return _replace(lake, stream, day, manifest, previous)


def acknowledged(lake: Lake, stream: Stream, day: date, footer: Footer) -> list[PassReport]:
    """Return the complete passes that the object holds whole: their raw parts, and what they took for known.

    A pass writes only what no earlier one has written. So the parts of all earlier passes, interrupted ones
    too, must be in the object as well.
    """
    written: dict[str, set[str]] = {}
    raw = list_day(lake.store, stream, day)
    for part in raw.parts:
        written.setdefault(part.pass_id, set()).add(part.key)
    keys = set().union(*written.values())
    loaded = {name for name, parts in written.items() if footer.passes.get(name) == parts_hash(parts)}
    return [
        report
        for report in Checkpoints(lake.store, stream, day).completed()
        if keys.issuperset(_present(raw, report, keys))
        and all(name in loaded or name > report.pass_id for name in written)
    ]


def _present(raw: RawDay, report: PassReport, keys: Collection[str]) -> set[str]:
    """Return the keys that the parts of a pass have now: erasure writes parts anew."""
    return {now for key in report.parts if (now := raw.erased.present(key, keys))}


def _passes(  # noqa: PLR0913, PLR0917 - what a manifest is made of
    lake: Lake, stream: Stream, day: date, footer: Footer, found: StoredObject, old: Manifest | None
) -> tuple[Mapping[str, Any], ...]:
    """Return the passes that were acknowledged and those that are now; of these, which ids have moved here."""
    reports = acknowledged(lake, stream, day, footer)
    new = [report for report in reports if old is None or report.pass_id not in old.pass_ids]
    with_news = [report for report in new if report.total("new")]
    moved = count_moved(lake.store, stream, day, found, with_news) if with_news else {}
    summaries = [{**summarise(report), "moved": moved.get(report.pass_id, 0)} for report in new]
    return add_passes(old.passes if old else (), summaries)


def _replace(
    lake: Lake, stream: Stream, day: date, manifest: Manifest, previous: tuple[Manifest, bytes, str] | None
) -> Manifest | None:
    """Write the manifest with the hash of the one that it replaces."""
    chained = replace(manifest, previous_sha256=manifest_hash(previous[1]) if previous else None)
    etag = previous[2] if previous else None
    written = lake.store.replace(manifest_key(stream, day), chained.to_bytes(), etag)
    return chained if written else None
