"""Records and versions that the control API adds by hand; they survive a restart."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from sandbox import ticks
from sandbox.tenant.versions import Version


@dataclass
class Added:
    """What was added under one id.

    :param home: the event's instant in the generated record of this id, if there is one.
    """

    versions: list[Version] = field(default_factory=list)
    home: int | None = None


class Additions:
    """Everything that was added, in a journal of JSON lines."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._lock = Lock()
        self._streams: dict[str, dict[str, Added]] = {}
        self._read()

    def of(self, stream: str) -> dict[str, Added]:
        """Return what was added to the stream, by id."""
        return self._streams.get(stream, {})

    def add(self, stream: str, record_id: str, version: Version, home: int | None) -> None:
        """Add a version and remember it."""
        line = {
            "stream": stream,
            "id": record_id,
            "visible_at": version.visible_at,
            "ticks": version.ticks,
            "body": base64.b64encode(version.body).decode(),
            "home": home,
        }
        with self._lock, self._journal.open("a") as journal:
            journal.write(json.dumps(line) + "\n")
            self._keep(stream, record_id, version, home)

    def clear(self) -> None:
        """Forget everything that was added."""
        with self._lock:
            self._journal.unlink(missing_ok=True)
            self._streams = {}

    def _keep(self, stream: str, record_id: str, version: Version, home: int | None) -> None:
        known = self._streams.get(stream, {})
        before = known.get(record_id, Added())
        # Replaced, never changed: a listing may walk over the old one in another thread.
        after = Added([*before.versions, version], before.home if before.home is not None else home)
        self._streams = {**self._streams, stream: {**known, record_id: after}}

    def _read(self) -> None:
        if not self._journal.exists():
            return
        for line in self._journal.read_text().splitlines():
            try:
                fact = json.loads(line)
            except ValueError:
                continue  # the last line of a sandbox that was killed
            version = Version(fact["visible_at"], fact["ticks"], base64.b64decode(fact["body"]))
            self._keep(fact["stream"], fact["id"], version, fact["home"])


def instant_of(text: object, default: int) -> int:
    """Read an instant of a request to the control API; absent means the default."""
    return default if text is None else ticks.parse(str(text))
