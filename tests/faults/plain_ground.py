"""A tenant, and a lake in a plain folder: for faults that lie before the bucket, at a fifth of the price."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from entra_lake.collect import Outcome, collect_day
from entra_lake.connections import read_connection
from entra_lake.crew import OnProgress
from entra_lake.due import due
from entra_lake.extract import read_manifest
from entra_lake.holdings import read_facts, read_manifests
from entra_lake.lake import Lake, open_lake
from entra_lake.manifest import Manifest
from entra_lake.schema import Stream
from entra_lake.settings import LakeSettings
from entra_lake.streams import STREAMS
from sandbox.environment import environment
from sandbox.serve import Sandbox
from simulation import DAY, true_contents
from soak.contents import Held, read_held
from soak.world import MovedClock

SIGN_INS = STREAMS["sign_ins"]


@dataclass
class PlainGround:
    """A tenant on a morning, and a lake that holds nothing yet.

    :param folder: of the lake.
    :param skew: seconds by which the worker's clock is ahead.
    """

    cloud: Sandbox
    folder: Path
    skew: float = 0.0

    def open(self) -> Lake:
        """Open the lake as a new process does."""
        variables = environment(self.cloud.state.folder)
        source = self.cloud.clock
        clock = MovedClock(sleep=self.wait, monotonic=source.seconds, source=source, skew=lambda: self.skew)
        return open_lake(
            LakeSettings(bucket="entra-lake", requests_per_10_seconds=1000),
            get_connection=lambda name: read_connection(name, variables),
            clock=clock,
            to_dir=self.folder,
        )

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.cloud.clock.advance(seconds)

    def fault(self, *faults: dict[str, Any]) -> None:
        """Let the tenant go wrong in these ways, and no others."""
        self.cloud.tenant.faults.clear()
        self.cloud.tenant.faults.configure({"faults": list(faults)})

    def show(self, name: str, time: str = "12:00:00Z", day: date = DAY, stream: Stream = SIGN_INS, **more: Any) -> None:
        """Have the tenant show a record, or another content of one, from now on or from `visible_at`."""
        visible_at = {"visible_at": more.pop("visible_at")} if "visible_at" in more else {}
        record = {"id": name, stream.time_field: f"{day}T{time}", **more}
        self.cloud.control.add_record({"stream": stream.name, "record": record, **visible_at})
        self.wait(1)

    def collect(
        self, run_id: str = "run", day: date = DAY, stream: Stream = SIGN_INS, on_page: OnProgress = lambda _: None
    ) -> Outcome:
        """Take the day through all steps that a folder has."""
        return collect_day(self.open(), stream, day, run_id, on_page)

    def collect_if_due(self, run_id: str, day: date = DAY, stream: Stream = SIGN_INS) -> bool:
        """Do what an hourly run does for this day; tell whether it was due."""
        lake = self.open()
        owed = due(lake.clock.now(), read_manifests(lake, [day]), read_facts(lake))
        is_due = (stream.name, day) in {(item.stream, item.day) for item in owed}
        if is_due:
            self.collect(run_id, day, stream)
        return is_due

    def held(self, day: date = DAY, stream: Stream = SIGN_INS) -> Held:
        """Return what the day's object holds."""
        found = read_held(self.open(), stream, day)
        assert found, "the day has no object"
        return found

    def manifest(self, day: date = DAY, stream: Stream = SIGN_INS) -> Manifest:
        """Return the day's manifest."""
        found = read_manifest(self.open(), stream, day)
        assert found, "the day has no manifest"
        return found[0]

    def contents_of(self, name: str, day: date = DAY, stream: Stream = SIGN_INS) -> set[str]:
        """Return every content that the lake holds of a record."""
        return {content for id_, content in self.held(day, stream).history if id_ == name}

    def assert_truth(self, day: date = DAY, stream: Stream = SIGN_INS) -> None:
        """Compare with what the tenant shows now: nothing lost, nothing doubled."""
        held, truth = self.held(day, stream), true_contents(self.cloud, stream, day)
        assert held.doubled == 0
        assert held.view.keys() == truth.keys()
        assert {name for name in truth if truth[name] != held.view[name]} == set()
