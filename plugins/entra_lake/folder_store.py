"""A plain folder as the lake's store: for incident response, a laptop, or a disk that is carried away.

It keeps the promises of the bucket: `store_protocol.py`. An ETag is the SHA-256 of the content. Who
writes holds a lock of the operating system, writes beside the object and moves the finished file over
it, so that a reader, or a process killed at any moment, sees the old object or the new one. Every
write moves the file's time on: time, inode and size then tell whether a hash is still good.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from entra_lake.errors import (
    AccessDeniedError,
    ConfigurationError,
    ConflictError,
    EntraLakeError,
    StoreUnavailableError,
)
from entra_lake.store import StoredObject, check_digest, hash_content

#: Locks and unfinished writes; no key begins like this.
_OWN_FOLDER = ".entra_lake"
_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
_READ_BYTES = 1024 * 1024

Signature = tuple[int, int, int]


class FolderStore:
    """One folder; keys are paths below it. It is made at the first write.

    Several processes of one machine may work in it at the same time. A network file system must honour
    `flock` and rename as a local one does.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._hashes: dict[str, tuple[Signature, str]] = {}

    def url(self, key: str) -> str:
        """Return the object's path."""
        return str(self.root / key)

    def read(self, key: str) -> tuple[bytes, str] | None:
        """Return content and ETag, or None when there is no such object."""
        with self._open(key) as file:
            content = file.read() if file else None
        return None if content is None else (content, _etag(hash_content(content)))

    def read_range(self, key: str, start: int, length: int, etag: str) -> bytes:
        """Return a part of the object of this ETag.

        :raises ConflictError: when the object was replaced meanwhile.
        """
        with self._open(key) as file:
            if file is None or self._hash(key, file) != etag.strip('"'):
                raise self._replaced(key)
            file.seek(start)
            return file.read(length)

    def look(self, key: str) -> StoredObject | None:
        """Return an object's facts without its content, or None when there is none."""
        with self._open(key) as file:
            return self._facts(key, file) if file else None

    def download(self, key: str, path: Path, etag: str | None = None) -> StoredObject | None:
        """Write the object's content to a file; return its facts, or None when there is none.

        :param etag: when given, the object must still have it.
        :raises ConflictError: when it has another one.
        :raises StoreUnavailableError: when what arrived is not what was stored.
        """
        with self._open(key) as file:
            if file is None:
                return None
            found = self._facts(key, file)
            if etag and found.etag != etag:
                raise self._replaced(key)
            with path.open("wb") as copy:
                shutil.copyfileobj(file, copy, _READ_BYTES)
        check_digest(found, hash_content(path))
        return found

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Return all objects below the prefix, in the order of their keys."""
        for key in self._keys(prefix.rpartition("/")[0], prefix):
            if found := self.look(key):
                yield found

    def older(self, key: str) -> Iterator[bytes]:
        """Return nothing: a folder keeps no earlier contents."""
        _ = key
        return iter(())

    def create(self, key: str, content: bytes | Path) -> str | None:
        """Write an object that must not exist yet; return its ETag, or None when another writer was first."""
        return self.replace(key, content, None)

    def replace(self, key: str, content: bytes | Path, etag: str | None) -> str | None:
        """Write an object over the one of this ETag (`ABSENT`: over none); return its ETag, or None as `create`."""
        path = self._path(key)
        with self._errors(key), self._lock(key) as unfinished:
            found = self.look(key)
            if (found.etag if found else None) != etag:
                return None
            sha256 = _write(unfinished, content)
            _move_on(unfinished, path)
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.replace(path)
            _sync(path.parent)
        return _etag(sha256)

    @contextmanager
    def _lock(self, key: str) -> Iterator[Path]:
        """Keep all others from writing this key; give the file to write to.

        The lock goes with its process. A file that a killed one has left is written over by the next.
        """
        folder = self.root / _OWN_FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(key.encode()).hexdigest()[:2]  # 256 locks for all keys, so that none is ever removed
        with (folder / f"{name}.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder / f"{name}.unfinished"

    @contextmanager
    def _open(self, key: str) -> Iterator[IO[bytes] | None]:
        """Give the object as a file that stays the same when the object is replaced; None when there is none."""
        with self._errors(key):
            try:
                file: IO[bytes] | None = self._path(key).open("rb")
            except _ABSENT:
                file = None
            try:
                yield file
            finally:
                if file:
                    file.close()

    def _facts(self, key: str, file: IO[bytes]) -> StoredObject:
        sha256 = self._hash(key, file)
        return StoredObject(key, _etag(sha256), os.fstat(file.fileno()).st_size, sha256)

    def _hash(self, key: str, file: IO[bytes]) -> str:
        """Return the content's SHA-256; the file stands at its beginning again."""
        signature = _signature(os.fstat(file.fileno()))
        known = self._hashes.get(key)
        if known is None or known[0] != signature:
            known = signature, hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
            self._hashes[key] = known
            file.seek(0)
        return known[1]

    def _keys(self, folder: str, prefix: str) -> Iterator[str]:
        with self._errors(folder):
            try:
                entries = list(os.scandir(self._path(folder)))
            except _ABSENT:
                return
        names = {entry.name + ("/" if entry.is_dir() else ""): entry for entry in entries if entry.name != _OWN_FOLDER}
        for name in sorted(names):
            key = f"{folder}/{name}" if folder else name
            if name.endswith("/") and (key.startswith(prefix) or prefix.startswith(key)):
                yield from self._keys(key[:-1], prefix)
            elif key.startswith(prefix):
                yield key

    def _path(self, key: str) -> Path:
        if key.startswith("/") or ".." in key.split("/"):
            message = f"{key!r} is no key: it leads out of {self.root}."
            raise ConfigurationError(message)
        return self.root / key

    def _replaced(self, key: str) -> ConflictError:
        return ConflictError(f"{self.url(key)} was replaced while it was read. Reading it again.")

    @contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _explain(error, self.url(key)) from error


def _write(path: Path, content: bytes | Path) -> str:
    """Write the content, wait until it is on the disk, and return its SHA-256."""
    with path.open("wb") as file, io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as source:
        shutil.copyfileobj(source, file, _READ_BYTES)
        file.flush()
        os.fsync(file.fileno())
    return hash_content(path)


def _move_on(unfinished: Path, path: Path) -> None:
    """Give the file a later time than the one it will replace, however fast writes follow each other."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    moment = max(time.time_ns(), before + 1)
    os.utime(unfinished, ns=(moment, moment))


def _sync(folder: Path) -> None:
    """Wait until the folder's entry is on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _signature(facts: os.stat_result) -> Signature:
    return facts.st_ino, facts.st_mtime_ns, facts.st_size


def _etag(sha256: str) -> str:
    return f'"{sha256}"'


def _explain(error: OSError, path: str) -> EntraLakeError:
    if isinstance(error, PermissionError):
        return AccessDeniedError(f"{path}: {error.strerror}. Give this user the right to read and write the folder.")
    said = error.strerror or type(error).__name__
    return StoreUnavailableError(f"{path}: {said}. Check that the disk is there and has room; then run it again.")
