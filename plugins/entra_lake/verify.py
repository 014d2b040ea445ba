"""verify: let Athena count the day, compare with the object's own footer, and commit the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from entra_lake.athena import Answer
from entra_lake.commit import commit, read_object, until_committed
from entra_lake.errors import CountMismatchError, PartialDayError
from entra_lake.footer import Footer
from entra_lake.lake import Lake
from entra_lake.layout import lake_key
from entra_lake.manifest import Manifest
from entra_lake.metrics import count_verified
from entra_lake.schema import Stream
from entra_lake.slices import Slice
from entra_lake.sql import render


def verify(lake: Lake, stream: Stream, day: date) -> Manifest:
    """Prove that Athena finds in the day's partition what its object holds, and commit the manifest.

    :returns: the manifest that acknowledges the day's complete passes.
    :raises CountMismatchError: when Athena finds other rows: the partition is not registered, or wrong.
    :raises DataError: when there is no object.
    :raises ConflictError: when the object kept being replaced meanwhile.
    """
    manifest = until_committed(stream, day, lambda: _verify(lake, stream, day))
    count_verified(lake, stream)
    return manifest


def partial_error(manifest: Manifest) -> PartialDayError | None:
    """Return the error that names what the day's last pass could not have; None when it had everything."""
    last = manifest.passes[-1] if manifest.passes else {}
    failed = last.get("failed", ())
    if not failed:
        return _clamped_error(manifest, last)
    parts = ", ".join(str(item["slice"]) for item in failed[:5])
    message = (
        f"{manifest.stream} {manifest.day}: Graph could not write out {len(failed)} part(s) of the day: {parts}. "
        "Everything else is in the lake and verified. Run the day again tomorrow; if it stays so, report the parts "
        f"to Microsoft with this reason: {failed[0]['reason']}"
    )
    return PartialDayError(message)


def _clamped_error(manifest: Manifest, last: Mapping[str, Any]) -> PartialDayError | None:
    """Return the error about a day of whose beginning Microsoft had deleted a part before it was read."""
    whole = Slice.of_day(date.fromisoformat(manifest.day))
    if not last or datetime.fromisoformat(last["start"]) <= whole.start:
        return None
    message = (
        f"{manifest.stream} {manifest.day}: Microsoft had only the part from {last['start']} on. That part is in the "
        "lake and verified; what came before it is lost. Look at what kept the day from being read earlier."
    )
    return PartialDayError(message)


def count_day(lake: Lake, stream: Stream, day: date) -> Answer:
    """Ask Athena how many rows and ids the day's partition has."""
    names = {"database": lake.settings.database, "table": stream.history_table}
    return lake.athena.run(render("checks/count_day.sql", **names, day=day))


def _verify(lake: Lake, stream: Stream, day: date) -> Manifest | None:
    """Count, compare and commit; None when another run loaded the day meanwhile."""
    footer, found = read_object(lake, stream, day)
    answer = count_day(lake, stream, day)
    _, now = read_object(lake, stream, day)
    if now.etag != found.etag:
        return None
    _compare(lake, stream, day, footer, answer)
    rows, ids = _numbers(answer)
    counted = {"rows": rows, "ids": ids, "query_id": answer.query_id, "bytes_scanned": answer.bytes_scanned}
    return commit(lake, stream, day, footer, found, counted)


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
