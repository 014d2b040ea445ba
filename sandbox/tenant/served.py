"""Which contents a listing has really held: a content that was replaced before anybody asked can be in no lake."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from threading import Lock

from sandbox.tenant.versions import Seen


class Served:
    """The contents that were served, of records that have more than one; they survive a restart."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._lock = Lock()
        self._marks = set(journal.read_text().split()) if journal.exists() else set()

    def note(self, stream: str, rows: Iterable[Seen]) -> None:
        """Remember the contents of a page that was served whole."""
        marks = {_mark(stream, row.id, row.body) for row in rows if row.changes}
        with self._lock:
            new = marks - self._marks
            if new:
                with self._journal.open("a") as journal:
                    journal.write("".join(f"{mark}\n" for mark in sorted(new)))
                self._marks |= new

    def holds(self, stream: str, record_id: str, body: bytes) -> bool:
        """Tell whether this content was served."""
        return _mark(stream, record_id, body) in self._marks

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._journal.unlink(missing_ok=True)
            self._marks = set()


def _mark(stream: str, record_id: str, body: bytes) -> str:
    name = f"{stream}\n{record_id}\n".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(name + body, digest_size=12).hexdigest()
