"""The manifest of a day: the acknowledgement that the day is in the lake, and the proof of it.

Written last, under a condition, when Athena has counted what the object says it holds. It carries
the SHA-256 of the manifest that it replaces: a chain, whose older links the bucket's versions keep.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from entra_lake.passes import to_json

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What is known for certain about one day of one stream.

    :param passes: summaries of the complete passes, in their order; see `passes.summarise`.
    :param object: key, ETag, size, SHA-256 and footer of the Parquet object that was counted.
    :param athena: what Athena counted: `rows`, `ids`, `query_id`, `bytes_scanned`.
    :param reread_ages: at which ages, in days, the settings of that time wanted the day to be read.
    :param dropped: ages at which the request budget could not pay a reading; see `due.Reason.BUDGET`.
    :param previous_sha256: hash of the manifest that this one replaced; None for the first.
    """

    stream: str
    day: str
    tenant_id: str
    committed_at: str
    retention_days: int
    passes: tuple[Mapping[str, Any], ...]
    object: Mapping[str, Any]
    athena: Mapping[str, Any]
    drift: Mapping[str, int] = field(default_factory=dict)
    lateness: Mapping[str, int] = field(default_factory=dict)
    reread_ages: tuple[int, ...] = ()
    dropped: tuple[int, ...] = ()
    previous_sha256: str | None = None
    format: int = FORMAT

    @property
    def pass_ids(self) -> frozenset[str]:
        """Return the ids of the passes that the manifest acknowledges."""
        return frozenset(str(item["pass_id"]) for item in self.passes)

    def to_bytes(self) -> bytes:
        """Return the manifest as canonical JSON."""
        return to_json(asdict(self))

    @classmethod
    def from_bytes(cls, content: bytes) -> Manifest:
        """Read a manifest from its JSON; members of a newer format are left out."""
        facts = json.loads(content)
        names = {item.name for item in fields(cls)}
        known = {name: value for name, value in facts.items() if name in names}
        tuples = {name: tuple(known.get(name, ())) for name in ("passes", "reread_ages", "dropped")}
        return cls(**{**known, **tuples})


def manifest_hash(content: bytes) -> str:
    """Return what the next manifest calls its predecessor."""
    return hashlib.sha256(content).hexdigest()


def add_passes(
    known: Iterable[Mapping[str, Any]], summaries: Iterable[Mapping[str, Any]]
) -> tuple[Mapping[str, Any], ...]:
    """Return the acknowledged passes and these, each pass once, in their order."""
    by_id = {str(item["pass_id"]): item for item in known}
    for item in summaries:
        by_id.setdefault(str(item["pass_id"]), item)
    return tuple(by_id[name] for name in sorted(by_id))
