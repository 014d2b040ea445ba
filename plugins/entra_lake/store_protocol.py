"""What a lake is kept in: objects under keys, and writes with conditions that decide races.

`S3Store` and `FolderStore` keep these promises, and the same tests hold both to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from entra_lake.store import StoredObject


class Store(Protocol):
    """Objects under keys such as `raw/sign_ins/dt=2026-11-22/…`; all keys are relative to the store.

    A reader gets the whole of one version of an object, never a mix, and never a part of a write. An
    ETag names one content of an object.

    :raises AccessDeniedError, ConfigurationError, StoreUnavailableError: from every method.
    """

    def url(self, key: str) -> str:
        """Return where the object is, for messages and for Athena."""

    def read(self, key: str) -> tuple[bytes, str] | None:
        """Return content and ETag, or None when there is no such object."""

    def read_range(self, key: str, start: int, length: int, etag: str) -> bytes:
        """Return a part of the object of this ETag.

        :raises ConflictError: when the object was replaced meanwhile.
        """

    def look(self, key: str) -> StoredObject | None:
        """Return an object's facts without its content, or None when there is none."""

    def download(self, key: str, path: Path, etag: str | None = None) -> StoredObject | None:
        """Write the object's content to a file; return its facts, or None when there is none.

        :param etag: when given, the object must still have it.
        :raises ConflictError: when it has another one.
        :raises StoreUnavailableError: when what arrived is not what was stored.
        """

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Return all objects below the prefix, in the order of their keys."""

    def older(self, key: str) -> Iterator[bytes]:
        """Return the contents that the object had before, newest first; none where the store keeps none."""

    def create(self, key: str, content: bytes | Path) -> str | None:
        """Write an object that must not exist yet; return its ETag, or None when another writer was first.

        Where an answer can get lost on its way, whoever then finds this very content there has won. Writers
        that must know which of them was first write what tells them apart.
        """

    def replace(self, key: str, content: bytes | Path, etag: str | None) -> str | None:
        """Write an object over the one of this ETag (`ABSENT`: over none); return its ETag, or None as `create`."""
