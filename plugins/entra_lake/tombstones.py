"""Tombstones: which records of a day were erased, so that no reading and no build brings them back.

An erasure writes one document beside the day's raw parts, before it removes anything. It names nobody: records stand
in it as SHA-256 of their ids, and parts that were written anew under their keys. What a day is built from is its raw
parts *and* these documents; `layout.erasure_key` says where they lie.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Tombstones:
    """What all erasures of one day add up to.

    :param ids: hashes of the ids of records that the day held.
    :param near: hashes of ids that a neighbouring day held near midnight: Graph may move them here.
    :param parts: key of each raw part that was written anew to the key of what is left of it; None when nothing is.
    :param keys: keys of the documents.
    """

    ids: frozenset[str] = frozenset()
    near: frozenset[str] = frozenset()
    parts: Mapping[str, str | None] = field(default_factory=dict)
    keys: tuple[str, ...] = ()

    def hold(self, record_id: str) -> bool:
        """Tell whether the record of this id was erased."""
        return not self.nothing and not {hash_id(record_id)}.isdisjoint(self.ids | self.near)

    @property
    def nothing(self) -> bool:
        """Tell whether nothing of the day was erased."""
        return not self.ids and not self.near

    def present(self, key: str, there: Iterable[str]) -> str | None:
        """Return which key a raw part has now; None when nothing is left of it.

        :param there: the keys that exist: a part is followed only when it is gone.
        """
        known, now = frozenset(there), key
        while now not in known and now in self.parts:
            after = self.parts[now]
            if after is None:
                return None
            now = after
        return now

    def to_bytes(self) -> bytes:
        """Return one erasure as a document; the same erasure, the same bytes."""
        facts = {"format": FORMAT, "ids": sorted(self.ids), "near": sorted(self.near), "parts": self.parts}
        return json.dumps(facts, sort_keys=True, indent=1).encode()

    @classmethod
    def from_documents(cls, documents: Mapping[str, bytes]) -> Tombstones:
        """Put documents together, given as key to content.

        :raises ValueError, KeyError, TypeError, AttributeError: when one is no such document.
        """
        facts = [json.loads(documents[key]) for key in sorted(documents)]
        return cls(
            ids=frozenset(name for item in facts for name in item["ids"]),
            near=frozenset(name for item in facts for name in item["near"]),
            parts={old: new for item in facts for old, new in item["parts"].items()},
            keys=tuple(sorted(documents)),
        )


def hash_id(record_id: str) -> str:
    """Return what stands for a record's id."""
    return hashlib.sha256(record_id.encode()).hexdigest()
