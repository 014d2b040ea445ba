"""What pages know of a lake: its manifests and Athena's answers, kept for a while and never more than needed.

A page must answer within a second and must not cost more because it is looked at twice. Manifests are read
again only when their ETag changed; an answer of Athena is kept as long as no day of the lake was acknowledged
anew, and for `ANSWER_SECONDS` at most.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from entra_lake.athena import Answer, Athena
from entra_lake.errors import EntraLakeError
from entra_lake.hooks.lake import open_airflow_lake
from entra_lake.lake import Lake
from entra_lake.lake_facts import LakeFacts
from entra_lake.layout import EXAMINATIONS_PREFIX, LAKE_KEY, manifest_key, manifest_prefix
from entra_lake.manifest import Manifest
from entra_lake.schema import Stream
from entra_lake.settings import LakeSettings

#: An answer may be so old, in seconds, where no new day was acknowledged meanwhile.
ANSWER_SECONDS = 900.0
#: A page waits so long, in seconds, for one answer of Athena; then it says so.
LONGEST_QUERY_SECONDS = 25.0
#: The list of manifests may be so old, in seconds.
LISTING_SECONDS = 5.0
#: Where Microsoft serves Graph: the global cloud, and the national ones.
MICROSOFT_HOSTS = frozenset(
    {"graph.microsoft.com", "graph.microsoft.us", "dod-graph.microsoft.us", "microsoftgraph.chinacloudapi.cn"}
)
_MOST_ANSWERS = 500
_MOST_MANIFESTS = 5000

T = TypeVar("T")
ManifestKey = tuple[str, date]


class Kept(Generic[T]):
    """A few values, the least recently used of which goes first; safe for threads."""

    def __init__(self, most: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._monotonic = monotonic
        self._values: OrderedDict[Any, tuple[float, T]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: object, longest_seconds: float) -> T | None:
        """Return the value, or None when there is none that is young enough."""
        with self._lock:
            found = self._values.get(key)
            if found is None or self._monotonic() - found[0] > longest_seconds:
                return None
            self._values.move_to_end(key)
            return found[1]

    def put(self, key: object, value: T) -> T:
        """Keep the value and return it."""
        with self._lock:
            self._values[key] = (self._monotonic(), value)
            self._values.move_to_end(key)
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        return value


@dataclass(frozen=True)
class Asked:
    """An answer and the statement that gave it."""

    statement: str
    answer: Answer

    @property
    def rows(self) -> tuple[dict[str, str | None], ...]:
        """Return the answer's rows."""
        return self.answer.rows


@dataclass
class LakeReader:
    """One lake, read for pages."""

    lake: Lake
    manifests_kept: Kept[Manifest] = field(default_factory=lambda: Kept(_MOST_MANIFESTS))
    listings: Kept[dict[ManifestKey, str]] = field(default_factory=lambda: Kept(64))
    examined: Kept[list[str]] = field(default_factory=lambda: Kept(1))
    answers: Kept[Asked] = field(default_factory=lambda: Kept(_MOST_ANSWERS))
    facts_kept: Kept[LakeFacts] = field(default_factory=lambda: Kept(1))

    @property
    def settings(self) -> LakeSettings:
        """Return the lake's entry in lakes.yaml."""
        return self.lake.settings

    @property
    def is_simulated(self) -> bool:
        """Tell whether the lake's tenant is the simulated one: its Graph is not Microsoft's."""
        return urlsplit(self.lake.graph.graph_url).hostname not in MICROSOFT_HOSTS

    @property
    def now(self) -> datetime:
        """Return the lake's time, UTC."""
        return self.lake.clock.now()

    def facts(self) -> LakeFacts | None:
        """Return what the lake promises; None when no run has begun it yet."""
        if found := self.facts_kept.get(LAKE_KEY, LISTING_SECONDS):
            return found
        document = self.lake.store.read(LAKE_KEY)
        return self.facts_kept.put(LAKE_KEY, self._facts(document[0])) if document else None

    def _facts(self, content: bytes) -> LakeFacts:
        return LakeFacts.read(json.loads(content), self.settings)

    def manifests(self) -> dict[ManifestKey, Manifest]:
        """Return every manifest of the lake."""
        found = {key: self._manifest(key, etag) for key, etag in self._etags().items()}
        return {key: manifest for key, manifest in found.items() if manifest}

    def manifest(self, stream: Stream, day: date) -> Manifest | None:
        """Return a day's manifest; None when it has none."""
        etag = self._etags().get((stream.name, day))
        return self._manifest((stream.name, day), etag) if etag else None

    def revision(self) -> str:
        """Return a text that changes whenever a day is acknowledged, or detections have run for one."""
        parts = [*sorted(self._etags().values()), *self._examined()]
        return hashlib.sha256("".join(parts).encode()).hexdigest()

    def ask(self, statement: str) -> Asked:
        """Return Athena's answer to a statement, a kept one if there is one.

        :raises AthenaUnavailableError: when it takes longer than a page may wait.
        :raises QueryFailedError: when Athena refuses it.
        """
        key = (self.revision(), statement)
        if found := self.answers.get(key, ANSWER_SECONDS):
            return found
        return self.answers.put(key, Asked(statement, self._athena().run(statement)))

    def _athena(self) -> Athena:
        return Athena(
            self.lake.aws.client("athena"),
            database=self.settings.database,
            workgroup=self.settings.workgroup,
            clock=self.lake.clock,
            longest_query_seconds=LONGEST_QUERY_SECONDS,
        )

    def _etags(self) -> Mapping[ManifestKey, str]:
        if (found := self.listings.get("all", LISTING_SECONDS)) is not None:
            return found
        return self.listings.put("all", {key: etag for stream in self.lake.streams for key, etag in self._list(stream)})

    def _examined(self) -> list[str]:
        if (found := self.examined.get("all", LISTING_SECONDS)) is not None:
            return found
        return self.examined.put("all", [item.etag for item in self.lake.store.list(EXAMINATIONS_PREFIX)])

    def _list(self, stream: Stream) -> list[tuple[ManifestKey, str]]:
        prefix = manifest_prefix(stream)
        named = [
            (item.key.removeprefix(prefix).removesuffix(".json"), item.etag) for item in self.lake.store.list(prefix)
        ]
        return [((stream.name, day), etag) for name, etag in named if (day := _day(name))]

    def _manifest(self, key: ManifestKey, etag: str) -> Manifest | None:
        if found := self.manifests_kept.get((key, etag), float("inf")):
            return found
        stream = next(item for item in self.lake.streams if item.name == key[0])
        document = self.lake.store.read(manifest_key(stream, key[1]))
        return self.manifests_kept.put((key, document[1]), Manifest.from_bytes(document[0])) if document else None


def is_absent(error: EntraLakeError) -> bool:
    """Tell whether Athena knows no such table or view yet: no run has made it."""
    return "TABLE_NOT_FOUND" in error.message or "does not exist" in error.message


_READERS: Kept[LakeReader] = Kept(200)
#: Connections may change; after so long, in seconds, a lake is opened afresh.
REOPEN_SECONDS = 60.0
_opening = threading.Lock()


def open_reader(settings: LakeSettings) -> LakeReader:
    """Return the reader of a lake: the one that is open, unless its connections are older than a minute."""
    with _opening:
        if found := _READERS.get(settings, REOPEN_SECONDS):
            return found
        lake = open_airflow_lake(settings.name)
        before = _READERS.get(settings, float("inf"))
        if before is None:
            return _READERS.put(settings, LakeReader(lake))
        before.lake = lake
        return _READERS.put(settings, before)


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(name)
    except ValueError:
        return None
