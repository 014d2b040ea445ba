"""S3 on disk: every object is a file of bytes and a small JSON file, written before the reply is sent.

    s3/<bucket>/bucket.json            name, region, creation date
    s3/<bucket>/config/<name>.json     a PUT request that configured the bucket, replayed at start
    s3/<bucket>/meta/<key>.json        every version of one key: ETag, headers, name of its body
    s3/<bucket>/body/<key>.<random>    the bytes

The JSON file is what counts: it is replaced in one step after the body is complete, so that a process killed at any
moment leaves the old object or the new one. moto keeps no bytes: its keys read from these files.
"""

# ruff: noqa: SLF001 - moto gives no public way to its bodies and versions
from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import time
from collections import deque
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from moto.s3.models import FakeBucket, FakeDeleteMarker, FakeKey, s3_backends

LONGEST_NAME = 180
GRACE_SECONDS = 10.0  # a query that has planned to read a replaced body may still finish
KEPT = (
    "_etag", "_version_id", "_is_versioned", "_storage_class", "checksum_algorithm", "checksum_value", "checksum_type",
    "checksum_parts", "encryption", "kms_key_id", "website_redirect_location", "lock_mode", "lock_legal_status",
    "lock_until",
)  # fmt: skip


class FileBody:
    """The bytes of an object in the place where moto expects an open temporary file; opens it only to read."""

    def __init__(self, path: Path) -> None:
        """Stand for the bytes in `path`."""
        self.path = path
        self._position = 0

    def seek(self, position: int) -> None:
        """Set where the next read starts."""
        self._position = position

    def read(self, size: int = -1) -> bytes:
        """Read from the file."""
        with self.path.open("rb") as file:
            file.seek(self._position)
            data = file.read(size)
        self._position += len(data)
        return data

    def close(self) -> None:
        """Do nothing: no file is held open."""


class ObjectStore:
    """The buckets of one account, written through to a folder."""

    def __init__(self, folder: Path, account: str, region: str) -> None:
        """Keep buckets under `folder`/s3."""
        self.folder = folder / "s3"
        self.account = account
        self.region = region
        self._retired: deque[tuple[float, Path]] = deque()

    @property
    def backend(self) -> Any:
        """Return moto's S3 of this account."""
        return s3_backends[self.account]["aws"]

    def find(self, bucket: str, key: str) -> FakeKey | None:
        """Return the current version of an object, or None."""
        if bucket not in self.backend.buckets:
            return None
        found = self.backend.buckets[bucket].keys.get(key)
        return found if isinstance(found, FakeKey) else None

    def names(self, bucket: str, prefix: str) -> list[str]:
        """List the keys under a prefix, sorted."""
        keys = self.backend.buckets[bucket].keys if bucket in self.backend.buckets else {}
        return sorted(name for name in list(keys) if name.startswith(prefix) and self.find(bucket, name))

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """Store an object on behalf of a service (Athena's results)."""
        self.backend.put_object(bucket, key, data)
        self.save(bucket, key)

    def path(self, bucket: str, key: str) -> Path:
        """Return the file that holds the bytes of an object."""
        found = self.find(bucket, key)
        if found is None:
            message = f"s3://{bucket}/{key}"
            raise FileNotFoundError(message)
        return found._value_buffer.path

    def save_bucket(self, bucket: str) -> None:
        """Write a bucket that was created, or remove the folder of one that was deleted."""
        folder = self.folder / bucket
        if bucket not in self.backend.buckets:
            shutil.rmtree(folder, ignore_errors=True)
            return
        # Bucket names are unique in this account only: several simulated clouds may live in one process.
        s3_backends.bucket_accounts.pop(bucket, None)
        made = self.backend.buckets[bucket]
        for name in ("meta", "body", "config"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        text = json.dumps({"region": made.region_name, "created": made.creation_date.isoformat()})
        write_atomically(folder / "bucket.json", text.encode())

    def save(self, bucket: str, key: str) -> None:
        """Write all versions of a key, bodies first; forget a key that is gone."""
        folder = self.folder / bucket
        name = file_name(key)
        meta = folder / "meta" / f"{name}.json"
        versions = self.backend.buckets[bucket].keys.getlist(key) or []
        before = _bodies(meta)
        entries = [self._describe(version, folder, name) for version in versions]
        if entries:
            write_atomically(meta, json.dumps({"key": key, "versions": entries}).encode())
        else:
            meta.unlink(missing_ok=True)
        kept = {entry.get("body") for entry in entries}
        self._retire([folder / "body" / body for body in before if body not in kept])

    def load(self) -> None:
        """Read everything back, and remove what a killed process left half written."""
        for folder in sorted(self.folder.glob("*/")):
            if (folder / "bucket.json").exists():
                self._load_bucket(folder)

    def _load_bucket(self, folder: Path) -> None:
        stored = json.loads((folder / "bucket.json").read_bytes())
        bucket = FakeBucket(folder.name, self.account, stored["region"])
        s3_backends.bucket_accounts.pop(folder.name, None)
        bucket.creation_date = datetime.fromisoformat(stored["created"])
        self.backend.buckets[folder.name] = bucket
        known: set[str] = set()
        for meta in (folder / "meta").glob("*.json"):
            entry = json.loads(meta.read_bytes())
            versions = [self._revive(folder, entry["key"], version) for version in entry["versions"]]
            bucket.keys.setlist(entry["key"], versions)
            known.update(version["body"] for version in entry["versions"] if "body" in version)
        for leftover in [path.name for path in (folder / "body").iterdir()]:
            if leftover not in known:
                (folder / "body" / leftover).unlink()

    def _describe(self, version: FakeKey | FakeDeleteMarker, folder: Path, name: str) -> dict[str, Any]:
        if isinstance(version, FakeDeleteMarker):
            modified = version.last_modified.isoformat()
            return {"delete_marker": version.version_id, "modified": modified}
        if not isinstance(version._value_buffer, FileBody):
            _move_to_disk(version, folder / "body" / f"{name}.{secrets.token_hex(6)}")
        entry = {name: getattr(version, name) for name in KEPT if getattr(version, name) not in (None, "")}
        entry["_etag"] = version.etag.strip('"')
        entry["size"] = version.contentsize
        entry["body"] = version._value_buffer.path.name
        entry["modified"] = version.last_modified.isoformat()
        entry["metadata"] = dict(version.metadata)
        entry["tags"] = self.backend.tagger.get_tag_dict_for_resource(version.arn)
        return entry

    def _revive(self, folder: Path, key: str, entry: dict[str, Any]) -> FakeKey | FakeDeleteMarker:
        made = FakeKey(key, b"", self.account, self.region, bucket_name=folder.name)
        FakeKey.instances_tracked.clear()  # moto would hold every key ever made
        made.last_modified = datetime.fromisoformat(entry["modified"])
        if "delete_marker" in entry:
            marker = FakeDeleteMarker(made)
            marker._version_id, marker.last_modified = entry["delete_marker"], made.last_modified
            return marker
        made.__dict__.update({name: entry[name] for name in KEPT if name in entry})
        made.contentsize = entry["size"]
        made.set_metadata(entry["metadata"], replace=False)
        made._value_buffer = FileBody(folder / "body" / entry["body"])
        if entry["tags"]:
            self.backend.tagger.tag_resource(made.arn, [{"Key": k, "Value": v} for k, v in entry["tags"].items()])
        return made

    def _retire(self, paths: list[Path]) -> None:
        now = time.monotonic()
        self._retired.extend((now + GRACE_SECONDS, path) for path in paths)
        while self._retired and self._retired[0][0] < now:
            self._retired.popleft()[1].unlink(missing_ok=True)


def file_name(key: str) -> str:
    """Return the file name of a key: readable while it is short, a hash when the file system could refuse it."""
    name = quote(key, safe="")
    return name if len(name) <= LONGEST_NAME else hashlib.sha256(key.encode()).hexdigest()


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees all of it or nothing, also after a kill."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    temporary.write_bytes(data)
    temporary.replace(path)


def _bodies(meta: Path) -> set[str]:
    if not meta.exists():
        return set()
    return {version["body"] for version in json.loads(meta.read_bytes())["versions"] if "body" in version}


def _move_to_disk(version: FakeKey, path: Path) -> None:
    _ = version.etag  # moto computes it from the bytes on the first read
    source = version._value_buffer
    source.seek(0)
    with path.open("wb") as file:
        shutil.copyfileobj(source, file, 4 * 1024 * 1024)
    source.close()
    if version.multipart:
        version.multipart.dispose()
        version.multipart = None
    version._value_buffer = FileBody(path)
