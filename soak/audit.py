"""Compare the lake with the tenant's truth, day by day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise

from entra_lake.lake import Lake
from entra_lake.layout import lake_key
from entra_lake.manifest import Manifest
from soak.contents import Content, Era, Held, eras, read_held
from soak.ledger import Key, Ledger, wrong_in_view
from soak.world import World


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was found of one day.

    :param lost: contents that the lake owes and does not hold.
    :param doubled: rows too many.
    :param invented: contents that the tenant never showed.
    :param misshown: ids that the view shows wrongly; None where no clean reading says what is right.
    :param miscounted: whether manifest, object and Athena disagree.
    """

    records: int = 0
    versions: int = 0
    lost: frozenset[Content] = frozenset()
    doubled: int = 0
    invented: frozenset[Content] = frozenset()
    misshown: frozenset[str] | None = None
    miscounted: bool = False
    aged_out: bool = False

    @property
    def is_right(self) -> bool:
        """Tell whether the lake keeps its promise for the day."""
        return not (self.lost or self.doubled or self.invented or self.misshown or self.miscounted)


@dataclass
class Auditor:
    """Audits days, and those again of which something has changed.

    :param verdicts: the latest of each day.
    """

    world: World
    ledger: Ledger
    verdicts: dict[Key, Verdict] = field(default_factory=dict)
    _seen: dict[Key, tuple[object, ...]] = field(default_factory=dict)

    def audit(self, days: Iterable[date], manifests: dict[tuple[str, date], Manifest], *, expired: date) -> None:
        """Audit days of all streams.

        :param expired: days before it can no longer be read.
        """
        lake = self.world.open()
        etags = {item.key: item.etag for item in lake.store.list("lake/")}
        for day in days:
            for stream in lake.streams:
                key, manifest = (stream, day), manifests.get((stream.name, day))
                state = (
                    etags.get(lake_key(stream, day)),
                    manifest and manifest.to_bytes(),
                    len(self.ledger.attempts.get(key, ())),
                    day < expired,
                )
                if self._seen.get(key) != state:
                    self._seen[key] = state
                    self.verdicts[key] = self._judge(lake, key, manifest, is_expired=day < expired)

    def _judge(self, lake: Lake, key: Key, manifest: Manifest | None, *, is_expired: bool) -> Verdict:
        stream, day = key
        held = read_held(lake, stream, day)
        shown = [era for era in eras(self.world, stream, day) if era.start <= self.world.ticks]
        acknowledged = manifest.pass_ids if manifest else frozenset()
        owed = self.ledger.owed(key, acknowledged, shown)
        aged_out = is_expired and not acknowledged
        if aged_out:
            owed = {(era.id, era.content) for era in shown}
        if held is None:
            return Verdict(lost=frozenset(owed), aged_out=aged_out)
        return Verdict(
            records=held.ids,
            versions=held.rows,
            lost=frozenset(owed - held.history),
            doubled=held.doubled,
            invented=held.history - {(era.id, era.content) for era in shown},
            misshown=self._misshown(key, acknowledged, held, shown),
            miscounted=bool(manifest and manifest.object["etag"] == held.etag and _differs(manifest, held)),
            aged_out=aged_out,
        )

    def _misshown(self, key: Key, acknowledged: frozenset[str], held: Held, shown: list[Era]) -> frozenset[str] | None:
        seen = self.ledger.last_clean(key, acknowledged)
        return None if seen is None else frozenset(wrong_in_view(held.view, seen, shown))


def _differs(manifest: Manifest, held: Held) -> bool:
    counts = [
        (held.rows, held.ids),
        (manifest.object["rows"], manifest.object["ids"]),
        (manifest.athena["rows"], manifest.athena["ids"]),
    ]
    return any(one != other for one, other in pairwise(counts))


class ManifestReader:
    """All manifests of a lake, each read again when it has changed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: dict[tuple[str, date], tuple[str, Manifest]] = {}
        self._is_current = False

    def forget(self) -> None:
        """Look again at the next call: somebody has run meanwhile."""
        self._is_current = False

    def read(self) -> dict[tuple[str, date], Manifest]:
        """Return the manifests by stream and day."""
        if not self._is_current:
            self._look()
        return {key: manifest for key, (_, manifest) in self._known.items()}

    def _look(self) -> None:
        store = self._world.open().store
        for item in store.list("manifests/"):
            _, stream, name = item.key.split("/")
            key = (stream, date.fromisoformat(name.removesuffix(".json")))
            if key not in self._known or self._known[key][0] != item.etag:
                found = store.read(item.key)
                if found:
                    self._known[key] = (item.etag, Manifest.from_bytes(found[0]))
        self._is_current = True
