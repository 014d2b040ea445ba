"""What a process gives back of the memory that it has freed; each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")

HEAD = """
from pathlib import Path
from entra_lake.freed_memory import give_back, trim
import pyarrow as pa

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20

give_back()
before = resident()
"""
PAGES = """
assert pa.default_memory_pool().backend_name == "system"
large = bytearray(16 * 2**20)
del large
pages = [(bytearray(2**20), bytearray(1000)) for _ in range(100)]
records = [record for _, record in pages]
del pages
assert resident() - before < 20, resident() - before
"""
RECORDS = """
records = [bytearray(2000) for _ in range(50_000)]
kept = records[::20]
del records
trim()
assert resident() - before < 40, resident() - before
"""


def run(script: str) -> None:
    """Run a script behind the head."""
    subprocess.run([sys.executable, "-c", HEAD + script], check=True)


def test_large_blocks_go_back_when_they_are_freed() -> None:
    """Records that live on do not keep the pages that they were cut from."""
    run(PAGES)


def test_what_is_free_between_records_goes_back_when_it_is_asked_for() -> None:
    """Of a hundred megabytes of records, of which one in twenty lives on, most go back."""
    run(RECORDS)


@pytest.mark.parametrize(("chosen", "used"), [(None, "jemalloc"), ("system", "system")])
def test_builds_use_the_allocator_that_costs_least(chosen: str | None, used: str) -> None:
    """Arrow takes its memory from jemalloc, where nobody has chosen another allocator."""
    variable = "ARROW_DEFAULT_MEMORY_POOL"
    env = {name: value for name, value in os.environ.items() if name != variable}
    env |= {variable: chosen} if chosen else {}
    script = "import entra_lake.build, pyarrow; print(pyarrow.default_memory_pool().backend_name)"
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == used
