"""Raw parts: records as they were received, one a line, in compressed objects of bounded size."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

import zstandard

from entra_lake.errors import DataError
from entra_lake.layout import RawPart, is_erasure_key, parts_hash, raw_key, raw_prefix
from entra_lake.schema import Stream
from entra_lake.shape import Line
from entra_lake.store_protocol import Store
from entra_lake.tombstones import Tombstones

PART_RECORDS = 5_000
PART_BYTES = 4 * 1024 * 1024
_LEVEL = 3


class RawWriter:
    """Collect the new records of one pass and write them part by part.

    A part's key is made from its content, so that writing it again changes nothing.
    """

    def __init__(self, store: Store, stream: Stream, day: date, pass_id: str) -> None:
        self._store = store
        self._stream = stream
        self._day = day
        self._pass_id = pass_id
        self._lines: list[bytes] = []
        self._times: list[int] = []
        self._bytes = 0
        self.keys: list[str] = []
        self.bytes_written = 0

    def add(self, line: bytes, event_time: int) -> None:
        """Take one record; write a part when enough have come together."""
        self._lines.append(line)
        self._times.append(event_time)
        self._bytes += len(line)
        if len(self._lines) >= PART_RECORDS or self._bytes >= PART_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what was taken and not yet written."""
        if not self._lines:
            return
        key, packed = pack(self._stream, self._day, self._pass_id, self._lines, self._times)
        self._store.create(key, packed)  # None: this very part is there already
        self.keys.append(key)
        self.bytes_written += len(packed)
        self._lines, self._times, self._bytes = [], [], 0


def pack(stream: Stream, day: date, pass_id: str, lines: Sequence[bytes], times: Sequence[int]) -> tuple[str, bytes]:
    """Return the key and the compressed content of the part that holds these records."""
    content = b"\n".join(lines) + b"\n"
    key = raw_key(
        stream,
        day,
        pass_id,
        first=min(times),
        last=max(times),
        records=len(lines),
        sha256=_joint_hash(_hashes(lines)),
    )
    return key, zstandard.compress(content, _LEVEL)


@dataclass(frozen=True)
class RawDay:
    """All that a day's object is built from.

    :param parts: the day's raw parts, in the order of their keys: of their passes.
    :param erased: which records must not come back.
    """

    parts: list[RawPart]
    erased: Tombstones = field(default_factory=Tombstones)

    @property
    def sha256(self) -> str:
        """Return the hash of all keys: of what an object that is current was built from."""
        return parts_hash([*(part.key for part in self.parts), *self.erased.keys])


def list_day(store: Store, stream: Stream, day: date) -> RawDay:
    """Return what the day's object is to be built from.

    :raises DataError: when something else lies there, or what was erased cannot be read.
    """
    keys = [found.key for found in store.list(raw_prefix(stream, day))]
    parts = [RawPart.parse(key) for key in keys if not is_erasure_key(key)]
    return RawDay(parts, _read_tombstones(store, [key for key in keys if is_erasure_key(key)]))


def _read_tombstones(store: Store, keys: Sequence[str]) -> Tombstones:
    try:
        return Tombstones.from_documents({key: found[0] for key in keys if (found := store.read(key))})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = (
            f"{', '.join(keys)}: one of these does not say which records were erased. Restore it from its noncurrent "
            "version: without it, erased records would come back."
        )
        raise DataError(message) from error


def list_parts(store: Store, stream: Stream, day: date) -> list[RawPart]:
    """Return all raw parts of the day, in the order of their keys: of their passes."""
    keys = (found.key for found in store.list(raw_prefix(stream, day)))
    return [RawPart.parse(key) for key in keys if not is_erasure_key(key)]


def read_part(store: Store, part: RawPart) -> list[bytes]:
    """Return the records of a part, each as its received bytes.

    :raises DataError: when the part is gone or does not hold what its key says.
    """
    return list(map(bytes, read_hashed(store, part)[0]))


def read_hashed(store: Store, part: RawPart) -> tuple[list[memoryview], list[bytes]]:
    """Return the records of a part, each as a view of the part's content, and the SHA-256 of each.

    :raises DataError: when the part is gone or does not hold what its key says.
    """
    found = store.read(part.key)
    if found is None:
        message = f"{part.key} was listed and is gone. Restore the object from its noncurrent version."
        raise DataError(message)
    lines = _lines(found[0])
    hashes = _hashes(lines)
    if not _matches(part, lines, hashes):
        message = f"{part.key} does not hold what its key says. Restore the object from its noncurrent version."
        raise DataError(message)
    return lines, hashes


def count_records(parts: Iterable[RawPart]) -> int:
    """Return how many records the parts hold, doubles included."""
    return sum(part.records for part in parts)


def _lines(packed: bytes) -> list[memoryview]:
    """Return the lines as views of the content, without a copy of each."""
    try:
        content = zstandard.decompress(packed)
    except zstandard.ZstdError:
        return []
    view, lines, start = memoryview(content), [], 0
    while (end := content.find(b"\n", start)) >= 0:
        lines.append(view[start:end])
        start = end + 1
    return lines


def _hashes(lines: Iterable[Line]) -> list[bytes]:
    return [hashlib.sha256(line).digest() for line in lines]


def _joint_hash(hashes: Iterable[bytes]) -> str:
    """Return a hash of all records: of theirs, which are needed anyway, and not of all bytes a second time."""
    return hashlib.sha256(b"".join(hashes)).hexdigest()


def _matches(part: RawPart, lines: Sequence[Line], hashes: Sequence[bytes]) -> bool:
    named = part.key.rpartition("_")[2].split(".")[0]
    # Keys of lakes from before November 2026 hold the hash of the whole content.
    return named == _joint_hash(hashes)[:16] or named == _whole_hash(lines)[:16]


def _whole_hash(lines: Sequence[Line]) -> str:
    return hashlib.sha256(b"".join(bytes(line) + b"\n" for line in lines)).hexdigest()
