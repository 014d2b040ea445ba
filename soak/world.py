"""The simulated cloud and the lakes that are opened in it, on a clock that only moves when somebody waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from botocore import endpoint

from entra_lake.athena import Athena
from entra_lake.aws import Aws
from entra_lake.clock import Clock
from entra_lake.connections import read_connection
from entra_lake.lake import Lake, open_lake
from entra_lake.schema import Stream
from entra_lake.settings import LakeSettings
from sandbox.aws.athena.api import AthenaApi
from sandbox.clock import Clock as SandboxClock
from sandbox.environment import environment
from sandbox.serve import Sandbox
from sandbox.tenant.versions import Row
from soak.stores import SteeredStore, Steering
from soak.wire import DirectAws

#: A query that really runs in the sandbox takes real time: so long is waited for it between two looks.
LONGEST_QUERY_SECONDS = 0.5
_NAP_SECONDS = 0.001


@dataclass(frozen=True)
class MovedClock(Clock):
    """The library's clock: the sandbox's, or as wrong as the world wants it."""

    source: SandboxClock = field(default_factory=SandboxClock)
    skew: Callable[[], float] = field(default=float)

    def now(self) -> datetime:
        """Return what the worker takes for the time."""
        return self.source.now() + timedelta(seconds=self.skew())


@dataclass
class World:
    """A running sandbox and how to open lakes in it.

    :param settings: of the lakes that are opened.
    :param skew: seconds by which the clocks of all workers are ahead.
    """

    cloud: Sandbox
    settings: LakeSettings
    skew: float = 0.0
    _variables: dict[str, str] = field(init=False)
    _aws: Aws = field(init=False)

    def __post_init__(self) -> None:
        self._variables = environment(self.cloud.state.folder)
        aws = Aws.from_connection(read_connection(self.settings.aws_conn_id, self._variables))
        self._aws = DirectAws(aws.session, aws.endpoint_url, self.cloud.aws.answer)

    @property
    def now(self) -> datetime:
        """Return the simulated time."""
        return self.cloud.clock.now()

    @property
    def ticks(self) -> int:
        """Return the simulated time as the tenant counts it."""
        return self.cloud.clock.ticks()

    @property
    def today(self) -> date:
        """Return the simulated UTC date."""
        return self.now.date()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.cloud.clock.advance(seconds)

    def wait_until(self, moment: datetime) -> None:
        """Let time pass until then; what is over does not come back."""
        if moment > self.now:
            self.cloud.clock.set(moment)

    def open(self, steering: Steering | None = None) -> Lake:
        """Open the lake as a new process does: it knows nothing but what S3 holds."""
        lake = open_lake(
            self.settings,
            get_connection=lambda name: read_connection(name, self._variables),
            aws=self._aws,
            clock=MovedClock(
                sleep=self.wait,
                monotonic=self.cloud.clock.seconds,
                source=self.cloud.clock,
                skew=lambda: self.skew,
            ),
        )
        store = SteeredStore(self._aws.client("s3"), self.settings.bucket, self.settings.prefix, steering or Steering())
        # Both are made at their first use otherwise, and kept in the same place.
        lake.__dict__["store"] = store
        lake.__dict__["athena"] = Athena(
            self._aws.client("athena"),
            database=self.settings.database,
            workgroup=self.settings.workgroup,
            clock=_query_clock(self.cloud.aws.athena),
        )
        return lake

    def rows(self, stream: Stream, day: date) -> Iterator[Row]:
        """Return all that ever was or will be of a day's records: what `GET /truth?versions=all` tells, and when."""
        return self.cloud.tenant.records.rows_of_day(stream, day)

    def delete(self, prefix: str) -> int:
        """Delete all objects of the lake below a prefix, as somebody does who takes them for rubbish."""
        store = self.open().store
        keys = [item.key for item in store.list(prefix)]
        for key in keys:
            self._aws.client("s3").delete_object(Bucket=self.settings.bucket, Key=f"{store.prefix}{key}")
        return len(keys)

    def add_record(self, stream: Stream, record: dict[str, Any], visible_at: datetime | None = None) -> None:
        """Have the tenant serve a record, or a new version of one, from now or then on."""
        wanted: dict[str, Any] = {"stream": stream.name, "record": record}
        if visible_at:
            wanted["visible_at"] = visible_at.isoformat().replace("+00:00", "Z")
        self.cloud.control.add_record(wanted)


def _query_clock(athena: AthenaApi) -> Clock:
    """Return a clock for looks at queries: how often one looks depends on this machine, and must move nothing."""
    waited = [0.0]

    def sleep(seconds: float) -> None:
        waited[0] += seconds
        ends = time.monotonic() + LONGEST_QUERY_SECONDS
        while athena.is_busy and time.monotonic() < ends:
            time.sleep(_NAP_SECONDS)

    return Clock(sleep=sleep, monotonic=lambda: waited[0])


@contextmanager
def hurried() -> Iterator[None]:
    """Let boto3 repeat requests at once: its pauses are real seconds that nobody gains from here."""
    with patch.object(endpoint, "time", SimpleNamespace(sleep=lambda _seconds: None)):
        yield
