"""What an audit can find, as pure functions of what it has read: a few words, and what is wrong if anything is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from entra_lake.errors import DataError
from entra_lake.footer import Footer, pass_hashes
from entra_lake.layout import RawPart
from entra_lake.manifest import Manifest, manifest_hash
from entra_lake.store import StoredObject

NEWER_RAW = "newer raw, not built yet"
_MOST_NAMED = 3


@dataclass(frozen=True)
class Check:
    """What one check found.

    :param text: for a table: a few words.
    :param fault: what is wrong and what to do; empty when nothing is.
    """

    text: str
    fault: str = ""


def read_claims(content: bytes, where: str) -> tuple[Manifest, Footer]:
    """Return a manifest, and the footer that it says the object has.

    :raises DataError: when it is no manifest.
    """
    try:
        manifest = Manifest.from_bytes(content)
        facts = manifest.object
        known = {name: value for name, value in facts.items() if name in Footer.__dataclass_fields__}
        claimed = Footer(**{**known, "drift": manifest.drift, "lateness": manifest.lateness})
        _ = facts["key"], facts["etag"], facts["sha256"]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        message = f"{where} is no manifest. Restore it from its noncurrent version, or delete it and run the day again."
        raise DataError(message) from error
    return manifest, claimed


def check_chain(contents: Sequence[bytes], where: str) -> Check:
    """Check that each manifest names the one that it replaced.

    :param contents: the manifest and those before it that the store has kept, newest first.
    """
    named = [_previous(content) for content in contents]
    for newer, before in zip(named, contents[1:], strict=False):
        if newer != manifest_hash(before):
            fault = (
                f"{where}: a version of it does not name the one that it replaced: somebody else wrote it. Look at "
                "its versions, delete those that Entra Lake did not write, and run the day again."
            )
            return Check("broken", fault)
    if named[-1] is None:
        return Check(f"{len(contents)}, whole")
    return Check(f"{len(contents)}, older not kept")


def _previous(content: bytes) -> str | None:
    try:
        facts = json.loads(content)
    except ValueError:
        facts = None
    return facts.get("previous_sha256") if isinstance(facts, dict) else "unreadable"


def check_object(manifest: Manifest, found: StoredObject | None, sha256: str, others: Sequence[str]) -> Check:
    """Check that the day's object is the one that the manifest acknowledges, and alone in its partition.

    :param sha256: of the object's content.
    :param others: keys of what else lies in the partition.
    """
    key, remedy = manifest.object["key"], f"Build it from raw: {_rebuild(manifest)}."
    if found is None:
        return Check("gone", f"{key} is gone. {remedy}")
    if found.etag != manifest.object["etag"] or sha256 != manifest.object["sha256"]:
        fault = (
            f"{key} is not the object that the manifest acknowledges (ETag {found.etag}, SHA-256 {sha256[:16]}…): "
            f"somebody replaced it, or a run has loaded and not yet acknowledged the day. {remedy}"
        )
        return Check("another", fault)
    if others:
        named = ", ".join(others[:_MOST_NAMED])
        fault = f"{key} is not alone: Athena also reads {named}. Move what others wrote out of lake/."
        return Check("not alone", fault)
    return Check("as acknowledged")


def check_footer(footer: Footer, expected: Footer) -> Check:
    """Check that the object says of itself what the manifest says of it."""
    held, claimed = asdict(footer), asdict(expected)
    differing = [name for name in held if held[name] != claimed[name]]
    if differing:
        fault = (
            f"Footer and manifest differ in {', '.join(differing)}. If the object is as acknowledged, the manifest was "
            f"edited. {_rebuild(expected)} writes both anew from raw."
        )
        return Check("differs", fault)
    return Check(f"{footer.rows:,} rows, {footer.ids:,} ids")


def check_raw(expected: Footer, parts: Sequence[RawPart], written: Iterable[str]) -> Check:
    """Tell raw that has grown since the object was built from raw that has lost parts.

    :param written: keys of the parts that complete passes name. A pass that is not complete may still be writing.
    """
    keys, now = {part.key for part in parts}, pass_hashes(parts)
    gone = sorted(set(written) - keys)
    gone += [f"all of pass {name}" for name in expected.passes if name not in now]
    if gone:
        more = f" and {len(gone) - _MOST_NAMED} more" if len(gone) > _MOST_NAMED else ""
        named = ", ".join(gone[:_MOST_NAMED])
        fault = f"Raw lacks {named}{more}. Restore the deleted objects from their noncurrent versions."
        return Check("parts gone", fault)
    return Check(NEWER_RAW)


def check_count(rows: int, ids: int, expected: Footer) -> Check:
    """Check that Athena counts what was acknowledged."""
    text = f"{rows:,} rows, {ids:,} ids"
    if (rows, ids) == (expected.rows, expected.ids):
        return Check(text)
    fault = (
        f"Athena finds {text}; acknowledged are {expected.rows:,} and {expected.ids:,}. If the object is as "
        f"acknowledged, its partition is not registered: {_rebuild(expected)} registers it."
    )
    return Check(text, fault)


def _rebuild(named: Manifest | Footer) -> str:
    return f"python -m entra_lake rebuild --day {named.day} --streams {named.stream}"
