"""What a process has freed goes back to the system, where the C library can be told so.

For a process that lists: it holds little for long, in many threads. A build would take more CPU for it, and does
without: its process ends when the object is written.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Final

import pyarrow as pa

#: Numbers of glibc's options, from its malloc.h.
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
#: Blocks of so many bytes are mapped each for itself: pages, row groups, columns.
LARGE: Final = 256 * 1024


def trim() -> None:
    """Give back what is free between blocks that live on, Arrow's and all others; some milliseconds."""
    pa.default_memory_pool().release_unused()


@cache
def give_back() -> None:
    """Have large blocks mapped each for itself, and small ones kept in one place; where there is glibc.

    Left alone, glibc learns from the first large block that is freed to cut the next ones from a heap, one for each
    thread, and there a record that lives on keeps the pages around it. Python runs one thread at a time, so that one
    heap for all costs nothing. Arrow asks glibc from now on, too: its own allocator would keep tens of megabytes.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_MMAP_THRESHOLD, LARGE)
    mallopt(_ARENA_MAX, 1)
    pa.set_memory_pool(pa.system_memory_pool())
