"""A bucket that a test steers: the process dies at a write, or something happens between two calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from entra_lake.store import S3Store, StoredObject

#: Every kind of object that a run writes: a process may die before and behind each of them.
PLACES = ("budget/", "pass.json", "raw/", "slice-", "complete.json", "staging/", "lake/", "manifests/")


class ProcessGone(BaseException):
    """The process is gone: nothing that handles errors may see it."""


@dataclass
class Crash:
    """Where the process dies.

    :param place: a part of the key of the object that is written.
    :param is_after: when S3 has stored the object; else before it has seen it.
    :param passes: how many such writes go well before.
    """

    place: str
    is_after: bool
    passes: int = 0
    happened: bool = False

    def __str__(self) -> str:
        """Name the class of fault."""
        return f"killed {'behind' if self.is_after else 'before'} {self.place}"

    def strikes(self, key: str, *, is_after: bool) -> bool:
        """Tell whether the process dies here, and count the write."""
        if self.happened or is_after != self.is_after or self.place not in key:
            return False
        self.happened = self.passes == 0
        self.passes -= 1
        return self.happened


@dataclass
class Meanwhile:
    """What happens between two calls of the store, once.

    :param call: before which call, counted from 1.
    """

    call: int
    act: Callable[[], object]
    happened: bool = False


@dataclass
class Steering:
    """What a store is to go through."""

    crash: Crash | None = None
    meanwhile: Meanwhile | None = None
    calls: int = 0
    #: key to every ETag that this store has given it
    etags: dict[str, set[str]] = field(default_factory=dict)

    def on_call(self) -> None:
        """Count a call, and let happen what waits for it."""
        self.calls += 1
        if self.meanwhile and not self.meanwhile.happened and self.calls >= self.meanwhile.call:
            self.meanwhile.happened = True
            self.meanwhile.act()

    def on_write(self, key: str, *, is_after: bool) -> None:
        """Die if this is the write for it.

        :raises ProcessGone: then.
        """
        if self.crash and self.crash.strikes(key, is_after=is_after):
            raise ProcessGone


class SteeredStore(S3Store):
    """S3 as it is, with a say in what happens around each call."""

    def __init__(self, client: Any, bucket: str, prefix: str, steering: Steering) -> None:  # noqa: ANN401 - boto3
        super().__init__(client, bucket, prefix)
        self.steering = steering

    def read(self, key: str) -> tuple[bytes, str] | None:
        """Read, after what happens before."""
        self.steering.on_call()
        return super().read(key)

    def look(self, key: str) -> StoredObject | None:
        """Look, after what happens before."""
        self.steering.on_call()
        return super().look(key)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """List, with what happens between the listing and its use."""
        found = list(super().list(prefix))
        self.steering.on_call()
        return iter(found)

    def _put(self, key: str, content: bytes | Path, condition: dict[str, str]) -> str | None:
        self.steering.on_call()
        self.steering.on_write(key, is_after=False)
        etag = super()._put(key, content, condition)
        if etag:
            self.steering.etags.setdefault(key, set()).add(etag)
        self.steering.on_write(key, is_after=True)
        return etag
