"""How many ids there are among many, some of them listed twice: their numbers wait on disk, 8 bytes each."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

import numpy as np


class DistinctIds(AbstractContextManager["DistinctIds"]):
    """Ids in a file that has no name; it is gone when the context ends.

    :param folder: where the file is.
    """

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - `__exit__` closes it

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the file."""
        self._file.close()

    def add(self, ids: Collection[str]) -> None:
        """Take ids.

        :raises OSError: when the disk is full.
        """
        self._file.write(np.fromiter(map(hash, ids), np.int64, count=len(ids)).data)

    def count(self) -> int:
        """Return how many different ones were taken."""
        self._file.seek(0)
        return int(np.unique(np.frombuffer(self._file.read(), np.int64)).size)
