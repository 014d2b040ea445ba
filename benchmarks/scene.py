"""A simulated tenant for extraction to be measured against, and a lake in a folder beside it.

By default time is simulated: pages take as long as they are told to, pauses as long as they last, and nobody waits.
Then the seconds that a listing takes are those of Graph's pages and of its limit; the machine's own work takes none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from entra_lake.clock import Clock as LibraryClock
from entra_lake.connections import read_connection
from entra_lake.lake import Lake, open_lake
from entra_lake.settings import LakeSettings
from entra_lake.streams import STREAMS
from sandbox.clock import Clock
from sandbox.environment import environment
from sandbox.serve import Sandbox
from sandbox.simulated_time import SimulatedTime
from sandbox.tenant.throttle import Limit

#: A Friday; its neighbour is the day before.
DAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 23, 5, tzinfo=UTC)
THROTTLED = 429
_OK = 200

sign_ins = partial(replace, STREAMS["sign_ins"])


@dataclass
class Scene:
    """A tenant, its time, and a lake."""

    cloud: Sandbox
    time: Clock
    lake: Lake

    @property
    def requests(self) -> list[dict[str, Any]]:
        """Return every request that Graph was asked."""
        return list(self.cloud.tenant.graph.requests)

    def answered(self) -> int:
        """Return how many of them were answered with a page."""
        return sum(request["status"] == _OK for request in self.requests)

    def refused(self) -> int:
        """Return how many of them were refused for haste."""
        return sum(request["status"] == THROTTLED for request in self.requests)


@contextmanager
def tenant(
    folder: Path,
    sign_ins_per_day: int,
    latency: float,
    *,
    lake_folder: Path | None = None,
    is_real: bool = False,
    **limit: Any,
) -> Iterator[Scene]:
    """Start a tenant whose pages take so long, and open a lake for it.

    :param lake_folder: where the lake is; a new one without it.
    :param is_real: whether the system's time is used instead of simulated time.
    :param limit: how Graph counts requests; see `Limit`.
    """
    moment = NOW - datetime.now(UTC)
    time = Clock(offset_seconds=moment.total_seconds()) if is_real else SimulatedTime(NOW)
    throttle = Limit(clock="system" if is_real else "sandbox", **limit)
    with Sandbox(
        folder / "cloud",
        seed=7,
        clock=time,
        sign_ins_per_day=sign_ins_per_day,
        with_aws=False,
        throttle=throttle,
        latency_seconds=latency,
    ) as cloud:
        variables = environment(cloud.state.folder)
        lake = open_lake(
            LakeSettings(bucket="entra-lake"),
            get_connection=lambda name: read_connection(name, variables),
            clock=time.library_clock() if isinstance(time, SimulatedTime) else LibraryClock(timedelta() + moment),
            to_dir=lake_folder or folder / "lake",
        )
        yield Scene(cloud, time, lake)


def simulated_time(scene: Scene) -> SimulatedTime:
    """Return the scene's time, which moves when everybody waits."""
    if not isinstance(scene.time, SimulatedTime):
        message = "the scene is in real time"
        raise TypeError(message)
    return scene.time
