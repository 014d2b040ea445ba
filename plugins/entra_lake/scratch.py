"""Room on this machine's disk for as long as a step needs it."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from entra_lake.errors import DiskFullError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def scratch(folder: Path | None) -> Iterator[Path]:
    """Give an empty folder, which is gone afterwards with all that is in it.

    :param folder: where it is made; None: in the system's temporary folder.
    :raises DiskFullError: when the disk has no room for what is written meanwhile.
    """
    try:
        with tempfile.TemporaryDirectory(dir=folder) as name:
            yield Path(name)
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise _disk_full(folder, error) from error
        raise


def _disk_full(folder: Path | None, error: OSError) -> DiskFullError:
    place = folder or Path(tempfile.gettempdir())
    message = (
        f"This machine's disk is full below {place} ({error.strerror or error}). Nothing of the step was committed; "
        "make room, or let the lake use a larger disk, and it runs again."
    )
    return DiskFullError(message)
