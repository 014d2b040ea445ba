"""Memory that is freed and needed again a moment later, window after window, stays with the process."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

# glibc's names of its settings, and what they are by default; other C libraries have none of this.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_DEFAULT = 128 * 1024
_LARGEST_PIECE, _MOST_KEPT = 32 * 1024 * 1024, 256 * 1024 * 1024


@contextmanager
def kept_memory() -> Iterator[None]:
    """Let the C library keep what is freed, and Arrow take its memory from there too.

    Otherwise each window's pages are given back and asked for again, and two heaps stand beside one another. Everything
    is given back at the end.
    """
    library = ctypes.CDLL(None)
    pool = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    _keep(library, _LARGEST_PIECE, _MOST_KEPT)
    try:
        yield
    finally:
        pa.set_memory_pool(pool)
        _keep(library, _DEFAULT, _DEFAULT)
        if hasattr(library, "malloc_trim"):
            library.malloc_trim(0)


def _keep(library: ctypes.CDLL, piece: int, kept: int) -> None:
    if hasattr(library, "mallopt"):
        library.mallopt(_M_MMAP_THRESHOLD, piece)
        library.mallopt(_M_TRIM_THRESHOLD, kept)
