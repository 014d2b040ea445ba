"""The lake's bucket: read, list and write objects, with conditions that decide races.

A write is refused, not repeated over somebody else's, when its condition fails. S3 may store an
object and lose the reply; botocore then repeats the request and is told 412 by its own success.
So each object carries the SHA-256 of its content and a token of the write that made it, and a refused
write looks at who won.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from entra_lake.aws import map_error
from entra_lake.errors import DataError, StoreUnavailableError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

#: What an absent object has instead of an ETag: the condition "nobody has written it yet".
ABSENT = None
_LOST_RACE = ("PreconditionFailed", "412")
#: Another request for the same key was under way; who wins is not decided, and nothing may be written yet.
_UNDECIDED = ("ConditionalRequestConflict", "OperationAborted", "409")
_NOT_FOUND = ("NoSuchKey", "404", "NotFound")
_READ_BYTES = 1024 * 1024
_READ_TRIES = 3
_WRITE_TRIES = 6


@dataclass(frozen=True)
class StoredObject:
    """What a listing or a look at an object tells."""

    key: str
    etag: str
    size: int
    sha256: str | None = None
    writer: str | None = field(default=None, compare=False)


class S3Store:
    """One bucket, below one prefix; keys are relative to it.

    :raises AccessDeniedError, ConfigurationError, StoreUnavailableError: from every method.
    """

    def __init__(self, client: S3Client, bucket: str, prefix: str = "") -> None:
        self.client = client
        self.bucket = bucket
        self.prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def url(self, key: str) -> str:
        """Return the object's `s3://` address, as Athena writes it."""
        return f"s3://{self.bucket}/{self.prefix}{key}"

    def read(self, key: str) -> tuple[bytes, str] | None:
        """Return content and ETag, or None when there is no such object.

        :raises DataError: when what is stored is not what was written, however often it is read.
        """
        for _ in range(_READ_TRIES):
            answer = self._find(lambda: self.client.get_object(Bucket=self.bucket, Key=self.prefix + key), key)
            if not answer:
                return None
            content: bytes = self._call(answer["Body"].read, key)
            if answer["Metadata"].get("sha256") in {None, hash_content(content)}:
                return content, answer["ETag"]
        message = (
            f"{self.url(key)} does not have the SHA-256 that its writer noted; it was read {_READ_TRIES} times. "
            "Restore it from its noncurrent version."
        )
        raise DataError(message)

    def read_range(self, key: str, start: int, length: int, etag: str) -> bytes:
        """Return a part of the object of this ETag.

        :raises ConflictError: when the object was replaced meanwhile.
        """
        span = f"bytes={start}-{start + length - 1}"
        key_in_bucket = self.prefix + key
        answer = self._call(
            lambda: self.client.get_object(Bucket=self.bucket, Key=key_in_bucket, Range=span, IfMatch=etag), key
        )
        return self._call(answer["Body"].read, key)

    def look(self, key: str) -> StoredObject | None:
        """Return an object's facts without its content, or None when there is none."""
        answer = self._find(lambda: self.client.head_object(Bucket=self.bucket, Key=self.prefix + key), key)
        if not answer:
            return None
        facts = answer["Metadata"]
        return StoredObject(key, answer["ETag"], answer["ContentLength"], facts.get("sha256"), facts.get("writer"))

    def download(self, key: str, path: Path, etag: str | None = None) -> StoredObject | None:
        """Write the object's content to a file; return its facts, or None when there is none.

        :param etag: when given, the object must still have it.
        :raises StoreUnavailableError: when what arrived is not what was stored.
        """
        condition: Any = {"IfMatch": etag} if etag else {}
        answer = self._find(lambda: self.client.get_object(Bucket=self.bucket, Key=self.prefix + key, **condition), key)
        if not answer:
            return None
        digest = hashlib.sha256()
        chunks = answer["Body"].iter_chunks(_READ_BYTES)
        with path.open("wb") as file:
            while chunk := self._call(lambda: next(chunks, None), key):
                digest.update(chunk)
                file.write(chunk)
        found = StoredObject(key, answer["ETag"], path.stat().st_size, answer["Metadata"].get("sha256"))
        check_digest(found, digest.hexdigest())
        return found

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Return all objects below the prefix, in the order of their keys."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix + prefix)
        iterator = iter(pages)
        while page := self._call(lambda: next(iterator, None), prefix):
            for item in page.get("Contents", ()):
                yield StoredObject(item["Key"].removeprefix(self.prefix), item["ETag"], item["Size"])

    def older(self, key: str) -> Iterator[bytes]:
        """Return the contents that the object had before, newest first; none where the bucket keeps no versions."""
        pages = self.client.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=self.prefix + key)
        iterator = iter(pages)
        while page := self._call(lambda: next(iterator, None), key):
            for item in page.get("Versions", ()):
                if item["Key"] == self.prefix + key and not item["IsLatest"]:
                    yield self._read_version(key, item["VersionId"])

    def create(self, key: str, content: bytes | Path) -> str | None:
        """Write an object that must not exist yet; return its ETag, or None when another writer was first."""
        return self._put(key, content, {"IfNoneMatch": "*"})

    def replace(self, key: str, content: bytes | Path, etag: str | None) -> str | None:
        """Write an object over the one of this ETag (`ABSENT`: over none); return its ETag, or None as `create`."""
        return self._put(key, content, {"IfMatch": etag}) if etag else self.create(key, content)

    def _read_version(self, key: str, version: str) -> bytes:
        name = self.prefix + key
        answer = self._call(lambda: self.client.get_object(Bucket=self.bucket, Key=name, VersionId=version), key)
        return self._call(answer["Body"].read, key)

    def _put(self, key: str, content: bytes | Path, condition: dict[str, str]) -> str | None:
        sha256, writer = hash_content(content), uuid4().hex
        metadata = {"sha256": sha256, "writer": writer}
        for _ in range(_WRITE_TRIES):
            try:
                return self._try_put(key, content, condition, metadata)
            except ClientError as error:
                if _code(error) in (*_LOST_RACE, *_NOT_FOUND):
                    return self._own_etag(key, writer)
                if _code(error) not in _UNDECIDED:
                    raise map_error(error, self.url(key)) from error
            except BotoCoreError as error:
                raise map_error(error, self.url(key)) from error
        message = f"{self.url(key)} was being written by others, {_WRITE_TRIES} times. Trying again later."
        raise StoreUnavailableError(message)

    def _try_put(self, key: str, content: bytes | Path, condition: Any, metadata: dict[str, str]) -> str:  # noqa: ANN401 - botocore's arguments
        with _open(content) as body:
            answer = self.client.put_object(
                Bucket=self.bucket,
                Key=self.prefix + key,
                Body=body,
                Metadata=metadata,
                ChecksumAlgorithm="SHA256",
                **condition,
            )
        return answer["ETag"]

    def _own_etag(self, key: str, writer: str) -> str | None:
        """Return the ETag if this very write has won; others may have written the same bytes."""
        found = self.look(key)
        return found.etag if found and found.writer == writer else None

    def _find(self, call: Callable[[], Any], key: str) -> Any:  # noqa: ANN401 - botocore's answers
        try:
            return call()
        except ClientError as error:
            if _code(error) in _NOT_FOUND:
                return None
            raise map_error(error, self.url(key)) from error
        except BotoCoreError as error:
            raise map_error(error, self.url(key)) from error

    def _call(self, call: Callable[[], T], key: str) -> T:
        try:
            return call()
        except (ClientError, BotoCoreError) as error:
            raise map_error(error, self.url(key)) from error


def hash_content(content: bytes | Path) -> str:
    """Return the SHA-256 of bytes or of a file, in hexadecimal."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_digest(found: StoredObject, sha256: str) -> None:
    """Refuse content that is not what its writer hashed.

    :raises StoreUnavailableError: so that it is read again.
    """
    if found.sha256 and found.sha256 != sha256:
        message = f"{found.key}: what was read does not have the SHA-256 that its writer noted. Reading it again."
        raise StoreUnavailableError(message)


def _open(content: bytes | Path) -> IO[bytes]:
    return io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
