"""What was accepted once is not checked again: results that depend on nothing but their key, kept for all processes.

Each process of a test session, and each `make run`, asks the same questions of the same tables; to check one costs more
than to answer it. A file's name is the hash of its key; its folder's, that of all that checks: the sandbox's own
sources, and the packages that parse. Whatever changes, the next statement is checked anew. A refusal is never kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

#: Where the verdicts are kept; empty for none.
FOLDER_VARIABLE = "ENTRA_LAKE_SANDBOX_CACHE"
PACKAGES = ("antlr4-python3-runtime", "duckdb", "sqlglot", "trino-query-parser", "trino-sql-validator")
_LONGEST_IDLE_SECONDS = 14 * 86400.0


class Verdicts:
    """The results of one kind of check, as JSON."""

    def __init__(self, kind: str) -> None:
        """Name the kind: two kinds may have the same keys."""
        self._kind = kind

    def get(self, key: object, make: Callable[[], Any]) -> Any:
        """Return what is kept under a key, or make it and keep it; a failure is not kept."""
        folder = _folder(os.environ.get(FOLDER_VARIABLE))
        if folder is None:
            return make()
        path = folder / hashlib.sha256(repr((self._kind, key)).encode()).hexdigest()
        with suppress(OSError, ValueError):
            return json.loads(path.read_bytes())
        made = make()
        with suppress(OSError):
            _write(path, json.dumps(made).encode())
        return made


def fingerprint() -> str:
    """Return the hash of all that a verdict depends on beside the statement and the tables."""
    here = Path(__file__).parents[1]
    found = hashlib.sha256(sys.version.encode())
    for path in sorted(path for path in here.rglob("*") if path.suffix in {".py", ".sql"}):
        found.update(path.name.encode() + path.read_bytes())
    for name in PACKAGES:
        # The hash of each file that the package has installed, its grammar among them.
        found.update((distribution(name).read_text("RECORD") or os.urandom(16).hex()).encode())
    return found.hexdigest()


@cache
def _folder(chosen: str | None) -> Path | None:
    """Return the folder of these sources, made and ours alone; None where that cannot be had."""
    if chosen == "":
        return None
    with suppress(OSError, RuntimeError):
        everything = Path(chosen or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "entra-lake")
        folder = everything / "athena" / fingerprint()[:32]
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if folder.stat().st_uid == os.getuid():
            os.utime(folder)
            _forget_idle(folder)
            return folder
    return None


def _forget_idle(folder: Path) -> None:
    """Remove the folders of sources that nobody has used for long."""
    for other in folder.parent.iterdir():
        if other != folder and time.time() - other.stat().st_mtime > _LONGEST_IDLE_SECONDS:
            shutil.rmtree(other, ignore_errors=True)


def _write(path: Path, content: bytes) -> None:
    with NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    Path(file.name).replace(path)
