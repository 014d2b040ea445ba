"""verify: let Athena count the day, compare with the object's own footer, and commit the manifest."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

from entra_lake.athena import Answer
from entra_lake.checkpoints import Checkpoints
from entra_lake.errors import ConflictError, CountMismatchError, DataError, PartialDayError
from entra_lake.extract import read_manifest
from entra_lake.footer import Footer, read_footer
from entra_lake.lake import Lake
from entra_lake.layout import lake_key, manifest_key, parts_hash
from entra_lake.manifest import Manifest, add_passes, manifest_hash
from entra_lake.metrics import count_verified
from entra_lake.passes import PassReport
from entra_lake.raw import list_parts
from entra_lake.schema import Stream
from entra_lake.slices import iso
from entra_lake.sql import render
from entra_lake.store import StoredObject

#: Replacements of the object, or of the manifest, while it was verified, after which verify gives up.
MOST_RACES = 6


def verify(lake: Lake, stream: Stream, day: date) -> Manifest:
    """Prove that Athena finds in the day's partition what its object holds, and commit the manifest.

    :returns: the manifest that acknowledges the day's complete passes.
    :raises CountMismatchError: when Athena finds other rows: the partition is not registered, or wrong.
    :raises DataError: when there is no object.
    :raises ConflictError: when the object kept being replaced meanwhile.
    """
    for _ in range(MOST_RACES):
        footer, found = _object(lake, stream, day)
        answer = count_day(lake, stream, day)
        _, now = _object(lake, stream, day)
        if now.etag != found.etag:
            continue  # another run loaded the day while Athena counted
        _compare(lake, stream, day, footer, answer)
        manifest = _commit(lake, stream, day, footer, found, answer)
        if manifest:
            count_verified(lake, stream)
            return manifest
    message = f"{stream.name} {day}: the day was loaded again each time it was verified. Trying again later."
    raise ConflictError(message)


def partial_error(manifest: Manifest) -> PartialDayError | None:
    """Return the error that names what the day's last pass could not have; None when it had everything."""
    failed = manifest.passes[-1].get("failed", ()) if manifest.passes else ()
    if not failed:
        return None
    parts = ", ".join(str(item["slice"]) for item in failed[:5])
    message = (
        f"{manifest.stream} {manifest.day}: Graph could not write out {len(failed)} part(s) of the day: {parts}. "
        "Everything else is in the lake and verified. Run the day again tomorrow; if it stays so, report the parts "
        f"to Microsoft with this reason: {failed[0]['reason']}"
    )
    return PartialDayError(message)


def count_day(lake: Lake, stream: Stream, day: date) -> Answer:
    """Ask Athena how many rows and ids the day's partition has."""
    names = {"database": lake.settings.database, "table": stream.history_table}
    return lake.athena.run(render("checks/count_day.sql", **names, day=day))


def _object(lake: Lake, stream: Stream, day: date) -> tuple[Footer, StoredObject]:
    found = read_footer(lake.store, lake_key(stream, day))
    if found is None:
        message = f"{lake.store.url(lake_key(stream, day))} does not exist. Run the task load of this day again."
        raise DataError(message)
    return found


def _compare(lake: Lake, stream: Stream, day: date, footer: Footer, answer: Answer) -> None:
    counted = _numbers(answer)
    if counted != (footer.rows, footer.ids):
        message = (
            f"{stream.name} {day}: Athena finds {counted[0]} rows and {counted[1]} ids in "
            f"{lake.settings.database}.{stream.history_table} (query {answer.query_id}), and the object holds "
            f"{footer.rows} and {footer.ids}. Check that the partition dt={day} is registered at "
            f"{lake.store.url(lake_key(stream, day)).rpartition('/')[0]}/ and holds this one object: run the task "
            "repair_partitions again, with full_repair if need be."
        )
        raise CountMismatchError(message, request_id=answer.query_id)


def _numbers(answer: Answer) -> tuple[int, int]:
    row = answer.rows[0] if answer.rows else {}
    return int(row.get("row_count") or 0), int(row.get("id_count") or 0)


def _commit(  # noqa: PLR0913, PLR0917 - what a manifest is made of
    lake: Lake, stream: Stream, day: date, footer: Footer, found: StoredObject, answer: Answer
) -> Manifest | None:
    """Write the manifest over the one that was read; None when another run was first."""
    previous = read_manifest(lake, stream, day)
    known = previous[0].passes if previous else ()
    rows, ids = _numbers(answer)
    manifest = Manifest(
        stream=stream.name,
        day=str(day),
        tenant_id=lake.tenant_id,
        committed_at=iso(lake.clock.now()),
        retention_days=lake.settings.retention_days,
        passes=add_passes(known, _acknowledged(lake, stream, day, footer)),
        object={
            "key": found.key,
            "etag": found.etag,
            "size": found.size,
            "sha256": found.sha256,
            **{name: value for name, value in asdict(footer).items() if name not in {"drift", "lateness"}},
        },
        athena={"rows": rows, "ids": ids, "query_id": answer.query_id, "bytes_scanned": answer.bytes_scanned},
        drift=footer.drift,
        lateness=footer.lateness,
        previous_sha256=manifest_hash(previous[1]) if previous else None,
    )
    written = lake.store.replace(manifest_key(stream, day), manifest.to_bytes(), previous[2] if previous else None)
    return manifest if written else None


def _acknowledged(lake: Lake, stream: Stream, day: date, footer: Footer) -> list[PassReport]:
    """Return the complete passes that the object holds whole: their raw parts, and what they took for known.

    A pass writes only what no earlier one has written. So the parts of all earlier passes, interrupted ones
    too, must be in the object as well.
    """
    written: dict[str, set[str]] = {}
    for part in list_parts(lake.store, stream, day):
        written.setdefault(part.pass_id, set()).add(part.key)
    keys = set().union(*written.values())
    loaded = {name for name, parts in written.items() if footer.passes.get(name) == parts_hash(parts)}
    return [
        report
        for report in Checkpoints(lake.store, stream, day).completed()
        if keys.issuperset(report.parts) and all(name in loaded or name > report.pass_id for name in written)
    ]
