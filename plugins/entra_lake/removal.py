"""Objects in all of their versions, and their removal for good. Only erasure uses it: nothing else here can delete.

In a bucket that keeps versions, deleting an object hides it. Here each version is looked at and removed by itself;
where a bucket keeps none, its objects are their only version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from entra_lake.aws import map_error
from entra_lake.errors import ConfigurationError, StoreUnavailableError
from entra_lake.folder_store import FolderStore
from entra_lake.store import S3Store
from entra_lake.store_protocol import Store

T = TypeVar("T")
_READ_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class StoredVersion:
    """One version of an object; a folder's files have one each, without a name."""

    key: str
    name: str
    is_latest: bool


class Versions(Protocol):
    """All versions of the objects of one place.

    :raises AccessDeniedError, StoreUnavailableError: from every method.
    """

    def list(self, prefix: str) -> Iterator[StoredVersion]:
        """Return every version of every object below the prefix, in the order of their keys."""

    def fetch(self, version: StoredVersion, path: Path) -> bool:
        """Write a version's content to a file; False when it is gone."""

    def remove(self, version: StoredVersion) -> None:
        """Remove one version for good."""


def versions_of(store: Store) -> Versions:
    """Return the versions of all objects of a lake.

    :raises ConfigurationError: when the store is of no kind whose versions can be removed.
    """
    if isinstance(store, FolderStore):
        return FolderVersions(store)
    if isinstance(store, S3Store):
        return BucketVersions(store)
    message = f"{store.url('')}: only a bucket or a folder can be erased from."
    raise ConfigurationError(message)


class FolderVersions:
    """The files of a folder."""

    def __init__(self, store: FolderStore) -> None:
        self._store = store

    def list(self, prefix: str) -> Iterator[StoredVersion]:
        """Return every file."""
        return (StoredVersion(found.key, "", is_latest=True) for found in self._store.list(prefix))

    def fetch(self, version: StoredVersion, path: Path) -> bool:
        """Copy the file."""
        return self._store.download(version.key, path) is not None

    def remove(self, version: StoredVersion) -> None:
        """Remove the file."""
        try:
            (self._store.root / version.key).unlink(missing_ok=True)
        except OSError as error:
            message = f"{self._store.url(version.key)} could not be removed: {error.strerror}. Look at the folder."
            raise StoreUnavailableError(message) from error


class BucketVersions:
    """The versions of a bucket's objects, below the store's prefix."""

    def __init__(self, store: S3Store) -> None:
        self._store = store

    def list(self, prefix: str) -> Iterator[StoredVersion]:
        """Return every version but delete markers, which have no content."""
        store = self._store
        pages = store.client.get_paginator("list_object_versions").paginate(
            Bucket=store.bucket, Prefix=store.prefix + prefix
        )
        iterator = iter(pages)
        while page := self._call(lambda: next(iterator, None), prefix):
            for item in page.get("Versions", ()):
                yield StoredVersion(item["Key"].removeprefix(store.prefix), item["VersionId"], item["IsLatest"])

    def fetch(self, version: StoredVersion, path: Path) -> bool:
        """Write a version's content to a file; False when it is gone."""
        names: Any = self._names(version)
        try:
            body = self._store.client.get_object(**names)["Body"]
        except ClientError as error:
            if str(error.response["Error"]["Code"]) in {"NoSuchKey", "NoSuchVersion", "404"}:
                return False
            raise map_error(error, self._store.url(version.key)) from error
        except BotoCoreError as error:
            raise map_error(error, self._store.url(version.key)) from error
        chunks = body.iter_chunks(_READ_BYTES)
        with path.open("wb") as file:
            while chunk := self._call(lambda: next(chunks, None), version.key):
                file.write(chunk)
        return True

    def remove(self, version: StoredVersion) -> None:
        """Remove one version for good; another version then is the latest, if there is one."""
        names: Any = self._names(version)
        self._call(lambda: self._store.client.delete_object(**names), version.key)

    def _names(self, version: StoredVersion) -> dict[str, str]:
        key = self._store.prefix + version.key
        return {"Bucket": self._store.bucket, "Key": key, "VersionId": version.name}

    def _call(self, call: Callable[[], T], key: str) -> T:
        try:
            return call()
        except (ClientError, BotoCoreError) as error:
            raise map_error(error, self._store.url(key)) from error
