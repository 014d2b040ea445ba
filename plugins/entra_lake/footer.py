"""What a Parquet object says of itself: which raw parts it was built from, and what it must count to."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow.parquet as pq

from entra_lake.errors import ConflictError, DataError
from entra_lake.layout import RawPart, parts_hash
from entra_lake.store import StoredObject
from entra_lake.store_protocol import Store

FOOTER_KEY = b"entra_lake"


@dataclass(frozen=True, kw_only=True)
class Footer:
    """The facts in the Parquet footer of a day's object.

    :param build: number of the building rules; higher rules build every day anew.
    :param schema: fingerprint of the stream's columns.
    :param raw_sha256: hash of the keys of all raw parts that went in, and of what says which records were erased.
    :param passes: pass id to the hash of that pass's raw parts.
    :param rows: rows: one per id and content.
    :param ids: different ids.
    :param id_set_sha256: sum of the SHA-256 of all ids modulo 2**256: the set's hash, whatever its order.
    :param drift: `path kind` to how many rows: what `extra_json` had to take, and unknown enum members.
    :param lateness: upper bound in hours to how many ids were first seen that long after their event.
    :param erased: ids that were erased from the day: the object would hold them, too.
    """

    build: int
    stream: str
    day: str
    tenant_id: str
    schema: str
    raw_sha256: str
    passes: Mapping[str, str]
    rows: int
    ids: int
    id_set_sha256: str
    first_event: int | None
    last_event: int | None
    drift: Mapping[str, int] = field(default_factory=dict)
    lateness: Mapping[str, int] = field(default_factory=dict)
    erased: int = 0

    @property
    def ids_ever(self) -> int:
        """Return how many ids the object holds, or would if none had been erased: a number that never falls."""
        return self.ids + self.erased

    def to_metadata(self) -> dict[bytes, bytes]:
        """Return the footer as Parquet key-value metadata."""
        return {FOOTER_KEY: json.dumps(asdict(self), sort_keys=True).encode()}

    @classmethod
    def from_metadata(cls, metadata: Mapping[bytes, bytes] | None, key: str) -> Footer:
        """Read the footer of the object with this key.

        :raises DataError: when it has none: it was not built by Entra Lake.
        """
        text = (metadata or {}).get(FOOTER_KEY)
        if not text:
            message = f"{key} has no Entra Lake footer. Move what others wrote out of lake/, and run the day again."
            raise DataError(message)
        facts: dict[str, Any] = json.loads(text)
        return cls(**{name: value for name, value in facts.items() if name in cls.__dataclass_fields__})


class RangeReader(io.RawIOBase):
    """Read one version of an object in ranges, as a file that pyarrow understands."""

    def __init__(self, store: Store, found: StoredObject) -> None:
        self._store = store
        self._found = found
        self._position = 0

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._found.size}[whence]
        self._position = base + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes.

        :raises ConflictError: when the object was replaced since it was looked at.
        """
        left = self._found.size - self._position
        length = left if size < 0 else min(size, left)
        if length <= 0:
            return b""
        content = self._store.read_range(self._found.key, self._position, length, self._found.etag)
        self._position += len(content)
        return content


def open_parquet(store: Store, found: StoredObject) -> pq.ParquetFile:
    """Open an object so that only what is needed of it is read."""
    return pq.ParquetFile(RangeReader(store, found), pre_buffer=True)


def read_footer(store: Store, key: str) -> tuple[Footer, StoredObject] | None:
    """Return footer and facts of an object, both of one version; None when there is none.

    :raises DataError: when it is no Parquet object of ours.
    :raises ConflictError: when it kept being replaced.
    """
    for _ in range(5):
        found = store.look(key)
        if found is None:
            return None
        try:
            metadata = open_parquet(store, found).metadata.metadata
        except ConflictError:
            continue
        except (OSError, ValueError) as error:
            message = (
                f"{key} is no readable Parquet object ({type(error).__name__}). Make it again from raw: "
                "python -m entra_lake rebuild --day and its day."
            )
            raise DataError(message) from error
        return Footer.from_metadata(metadata, key), found
    message = f"{key} was replaced each time it was looked at. Trying again later."
    raise ConflictError(message)


def pass_hashes(parts: Iterable[RawPart]) -> dict[str, str]:
    """Return each pass and the hash of its parts."""
    keys: dict[str, list[str]] = {}
    for part in parts:
        keys.setdefault(part.pass_id, []).append(part.key)
    return {name: parts_hash(keys[name]) for name in sorted(keys)}


def add_to_id_set(total: int, record_id: str) -> int:
    """Return the id set's sum with one more id in it."""
    return (total + int.from_bytes(hashlib.sha256(record_id.encode()).digest())) % 2**256
