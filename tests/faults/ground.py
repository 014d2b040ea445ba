"""What the fault tests stand on: a day of its own for each, and how to compare the lake with the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from entra_lake.aws import Aws
from entra_lake.collect import Outcome, collect_day
from entra_lake.extract import read_manifest
from entra_lake.lake import Lake
from entra_lake.layout import lake_key
from entra_lake.manifest import Manifest
from entra_lake.schema import Stream
from entra_lake.settings import LakeSettings
from entra_lake.streams import STREAMS
from entra_lake.tables import prepare
from sandbox.serve import Sandbox
from simulation import DAY, SESSION, make_lake, true_contents
from soak.contents import Held, read_held
from soak.stores import Steering
from soak.world import World

SIGN_INS = STREAMS["sign_ins"]
AUDITS = STREAMS["directory_audits"]
#: So many days have one lake: all of them lie within retention, whatever a test lets the clock do meanwhile.
DAYS_PER_LAKE = 20


@dataclass
class Ground:
    """A tenant as it was at first, and a day of a lake that no other test touches.

    :param world: the simulated cloud and how to open the lake.
    """

    world: World
    day: date

    @property
    def cloud(self) -> Sandbox:
        """Return the simulated cloud."""
        return self.world.cloud

    def open(self, endpoint_url: str | None = None, steering: Steering | None = None) -> Lake:
        """Open the lake as a new process does.

        :param endpoint_url: where AWS answers; a proxy's address.
        """
        if endpoint_url is None:
            return self.world.open(steering)
        lake = make_lake(self.cloud, **vars(self.world.settings))
        return replace(lake, session=Aws(SESSION, endpoint_url))

    def fault(self, *faults: dict[str, Any], **settings: Any) -> None:
        """Let the tenant go wrong, in the words of `sandbox/tenant/faults.py`."""
        self.cloud.tenant.faults.configure({"faults": list(faults), **settings})
        self.cloud.tenant.apply_faults()

    def calm(self) -> None:
        """Let everything go right again."""
        self.cloud.tenant.faults.clear()
        self.cloud.tenant.apply_faults()
        self.cloud.aws.faults.clear()

    def sign_in(self, name: str = "added", time: str = "12:00:00Z", **members: Any) -> dict[str, Any]:
        """Return a small sign-in of the day."""
        return {"id": name, "createdDateTime": f"{self.day}T{time}", **members}

    def add(self, record: dict[str, Any] | None = None, stream: Stream = SIGN_INS, **more: Any) -> None:
        """Have the tenant show a record, or another content of one, from now on; and let a minute pass."""
        self.cloud.control.add_record({"stream": stream.name, "record": record or self.sign_in(), **more})
        self.wait(60)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.cloud.clock.advance(seconds)

    def collect(self, run_id: str = "run", lake: Lake | None = None, stream: Stream = SIGN_INS) -> Outcome:
        """Take the day through all steps, as a process that knows nothing but what S3 holds."""
        return collect_day(lake or self.open(), stream, self.day, run_id)

    def manifest(self, stream: Stream = SIGN_INS) -> Manifest | None:
        """Return the day's manifest."""
        found = read_manifest(self.open(), stream, self.day)
        return found[0] if found else None

    def held(self, stream: Stream = SIGN_INS) -> Held | None:
        """Return what the day's object holds."""
        return read_held(self.open(), stream, self.day)

    def asked(self) -> list[dict[str, Any]]:
        """Return the requests that Graph has seen."""
        return list(self.cloud.tenant.graph.requests)


class Grounds:
    """Gives each test a day that no other has; when a lake's days are used up, another lake.

    :param streams: of the lakes.
    """

    def __init__(self, cloud: Sandbox, streams: tuple[str, ...] = ("sign_ins", "directory_audits")) -> None:
        self._cloud = cloud
        self._streams = streams
        self._days = self._deal()

    def next(self) -> Ground:
        """Return a prepared lake and a day of it."""
        return next(self._days)

    def fresh(self, name: str) -> Ground:
        """Return a lake of one's own, whose tables nobody has made; its day is yesterday."""
        names = {"prefix": f"faults-{name}", "database": f"faults_{name}"}
        settings = LakeSettings(bucket="entra-lake", **names, streams=self._streams, requests_per_10_seconds=1000)
        return Ground(World(self._cloud, settings), DAY)

    def _deal(self) -> Iterator[Ground]:
        number = 0
        while True:
            first = self.fresh(str(number))
            prepare(first.open())
            for age in range(DAYS_PER_LAKE):
                yield Ground(first.world, DAY - timedelta(days=age))
            number += 1


def assert_truth(ground: Ground, stream: Stream = SIGN_INS, but: frozenset[str] = frozenset()) -> None:
    """Compare object, view and manifest with what the tenant shows now: nothing lost, nothing doubled.

    :param but: ids of the truth that cannot be had.
    """
    held, truth = ground.held(stream), true_contents(ground.cloud, stream, ground.day)
    truth = {name: text for name, text in truth.items() if name not in but}
    assert held, "the day has no object"
    assert held.doubled == 0
    assert held.view.keys() == truth.keys()
    assert {name for name in truth if truth[name] != held.view[name]} == set()
    view = f"SELECT count(*) AS n, count(DISTINCT id) AS ids FROM {stream.name} WHERE dt = '{ground.day}'"
    assert ground.open().athena.run(view).rows == ({"n": str(len(truth)), "ids": str(len(truth))},)
    manifest = ground.manifest(stream)
    assert manifest, "the day has no manifest"
    assert manifest.object["etag"] == held.etag
    assert (manifest.athena["rows"], manifest.athena["ids"]) == (held.rows, held.ids)


def assert_nothing_committed(ground: Ground, stream: Stream = SIGN_INS) -> None:
    """Make sure that no reader sees anything of the day."""
    assert ground.manifest(stream) is None
    assert ground.open().store.look(lake_key(stream, ground.day)) is None
