"""The audit: whether what a manifest acknowledged is still there, unchanged, whole, and visible in Athena.

What was read is judged in `checks`. The audit changes nothing: the step `verify` acknowledges a day,
the audit looks at it again at any later time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from entra_lake.checkpoints import Checkpoints
from entra_lake.checks import Check, check_chain, check_count, check_footer, check_object, check_raw, read_claims
from entra_lake.errors import DataError, EntraLakeError
from entra_lake.footer import Footer, read_footer
from entra_lake.lake import Lake
from entra_lake.layout import lake_key, manifest_key, manifest_prefix, partition_prefix
from entra_lake.manifest import Manifest
from entra_lake.raw import list_day
from entra_lake.schema import Stream
from entra_lake.store import StoredObject
from entra_lake.store_protocol import Store
from entra_lake.verify import count_day

#: What is checked, in the order of a table's columns.
CHECKS = ("manifests", "object", "footer", "raw", "Athena")
#: A run may acknowledge the day while it is audited: then the audit begins again.
MOST_LOOKS = 3
_READ_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class Audit:
    """What was found about one day of one stream: a finding for each of `CHECKS`."""

    stream: Stream
    day: date
    findings: Mapping[str, Check]

    @property
    def faults(self) -> tuple[str, ...]:
        """Return what is wrong; nothing when all is right."""
        return tuple(found.fault for found in self.findings.values() if found.fault)


def audit(lake: Lake, day: date | None = None) -> Iterator[Audit]:
    """Look at every stream and day that has a manifest, or at one day.

    :raises DataError: when there is no manifest: a lake without one is not right, it is another one.
    """
    nothing = True
    for stream in lake.streams:
        for acknowledged in manifest_days(lake.store, stream):
            if day in (None, acknowledged) and (found := audit_day(lake, stream, acknowledged)):
                nothing = False
                yield found
    if nothing:
        where = lake.store.url(manifest_key(lake.streams[0], day) if day else "manifests/")
        message = f"There is no manifest at {where}. Collect the day first, or correct --lake, --to-dir or --day."
        raise DataError(message)


def manifest_days(store: Store, stream: Stream) -> list[date]:
    """Return the days of the stream that have a manifest."""
    names = [found.key.removeprefix(manifest_prefix(stream)) for found in store.list(manifest_prefix(stream))]
    return [day for name in names if (day := day_of_name(name, "{}.json"))]


def day_of_name(name: str, form: str) -> date | None:
    """Return the day in a name of this form; None for what others have put there."""
    before, after = form.split("{}")
    try:
        day = date.fromisoformat(name.removeprefix(before).removesuffix(after))
    except ValueError:
        return None
    return day if name == form.format(day) else None


def audit_day(lake: Lake, stream: Stream, day: date) -> Audit | None:
    """Check one day against its manifest; None when it has none."""
    result = None
    for _ in range(MOST_LOOKS):
        found = lake.store.read(manifest_key(stream, day))
        if found is None:
            return None
        result = Audit(stream, day, _findings(lake, stream, day, found[0]))
        now = lake.store.look(manifest_key(stream, day))
        if not result.faults or (now and now.etag == found[1]):
            break
    return result


def _findings(lake: Lake, stream: Stream, day: date, content: bytes) -> dict[str, Check]:
    where = lake.store.url(manifest_key(stream, day))
    try:
        manifest, expected = read_claims(content, where)
    except DataError as error:
        return {"manifests": Check("unreadable", error.message), **{name: Check("") for name in CHECKS[1:]}}
    checks: dict[str, Callable[[], Check]] = {
        "manifests": lambda: check_chain([content, *lake.store.older(manifest_key(stream, day))], where),
        "object": lambda: _object(lake, stream, day, manifest),
        "footer": lambda: _footer(lake, stream, day, expected),
        "raw": lambda: _raw(lake, stream, day, expected),
        "Athena": lambda: _athena(lake, stream, day, expected),
    }
    return {name: _attempt(check) for name, check in checks.items()}


def _attempt(check: Callable[[], Check]) -> Check:
    """Return what could not be checked as a fault, too: not known is not right."""
    try:
        return check()
    except EntraLakeError as error:
        return Check(error.code, error.message)


def _object(lake: Lake, stream: Stream, day: date, manifest: Manifest) -> Check:
    key = lake_key(stream, day)
    found = lake.store.look(key)
    sha256 = hash_object(lake.store, found) if found else ""
    others = [item.key for item in lake.store.list(partition_prefix(stream, day)) if item.key != key]
    return check_object(manifest, found, sha256, others)


def hash_object(store: Store, found: StoredObject) -> str:
    """Return the SHA-256 of the content that is there now, whatever its writer noted.

    :raises ConflictError: when the object was replaced meanwhile.
    """
    digest = hashlib.sha256()
    for start in range(0, found.size, _READ_BYTES):
        digest.update(store.read_range(found.key, start, min(_READ_BYTES, found.size - start), found.etag))
    return digest.hexdigest()


def _footer(lake: Lake, stream: Stream, day: date, expected: Footer) -> Check:
    found = read_footer(lake.store, lake_key(stream, day))
    return check_footer(found[0], expected) if found else Check("")


def _raw(lake: Lake, stream: Stream, day: date, expected: Footer) -> Check:
    raw = list_day(lake.store, stream, day)
    if raw.sha256 == expected.raw_sha256:
        return Check(f"{len(raw.parts)} parts" if len(raw.parts) != 1 else "1 part")
    reports = Checkpoints(lake.store, stream, day).completed()
    keys = [part.key for part in raw.parts]
    written = {raw.erased.present(key, keys) for report in reports for key in report.parts}
    return check_raw(expected, raw.parts, [key for key in written if key])


def _athena(lake: Lake, stream: Stream, day: date, expected: Footer) -> Check:
    if lake.to_dir:
        return Check("left out")
    answer = count_day(lake, stream, day)
    row = answer.rows[0] if answer.rows else {}
    return check_count(int(row.get("row_count") or 0), int(row.get("id_count") or 0), expected)
