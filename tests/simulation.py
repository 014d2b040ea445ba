"""A lake in a simulated cloud, and how to compare it with the truth: what the tests share."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import boto3
import pyarrow.parquet as pq
import requests

from entra_lake.aws import Aws
from entra_lake.clock import Clock
from entra_lake.connections import read_connection
from entra_lake.flatten import parse_record, unflatten
from entra_lake.identity import canonical
from entra_lake.lake import Lake, open_lake
from entra_lake.layout import lake_key
from entra_lake.schema import Stream
from entra_lake.settings import LakeSettings
from sandbox.environment import environment
from sandbox.serve import Sandbox

#: One session for all lakes of a test process: it reads AWS's service descriptions once.
SESSION = boto3.Session("simulated", "simulated", region_name="eu-central-1")
NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
DAY = date(2026, 11, 22)


@dataclass(frozen=True)
class SandboxClock(Clock):
    """The sandbox's clock; waiting moves it, so that nobody waits for long."""

    cloud: Any = None

    def now(self) -> datetime:
        """Return the sandbox's time."""
        moment: datetime = self.cloud.clock.now()
        return moment


def make_lake(cloud: Sandbox, **settings: Any) -> Lake:
    """Open a lake in the sandbox with the sandbox's clock."""
    variables = environment(cloud.state.folder)

    def sleep(seconds: float) -> None:
        cloud.clock.advance(seconds)
        time.sleep(min(seconds, 0.01))  # a query that really runs in the sandbox takes real time

    clock = SandboxClock(sleep=sleep, monotonic=lambda: cloud.clock.now().timestamp(), cloud=cloud)
    entry = replace(LakeSettings(bucket="entra-lake"), **settings)
    aws = Aws(SESSION, cloud.settings["aws_endpoint_url"])
    return open_lake(entry, get_connection=lambda name: read_connection(name, variables), aws=aws, clock=clock)


def lake_contents(lake: Lake, stream: Stream, day: date, folder: Path) -> set[tuple[str, str]]:
    """Return (id, canonical content) of every row of the day's object; a doubled row fails the test."""
    path = folder / "contents.parquet"
    assert lake.store.download(lake_key(stream, day), path), "the day has no object"
    rows = pq.read_table(path).to_pylist()
    contents = [(row["id"], canonical(unflatten(row, stream))) for row in rows]
    assert len(contents) == len(set(contents)), "a content stands twice"
    return set(contents)


def latest_contents(lake: Lake, stream: Stream, day: date, folder: Path) -> dict[str, str]:
    """Return the content that the view shows for each id; an id that it shows twice fails the test."""
    path = folder / "latest.parquet"
    assert lake.store.download(lake_key(stream, day), path), "the day has no object"
    rows = [row for row in pq.read_table(path).to_pylist() if row["is_latest"]]
    contents = {row["id"]: canonical(unflatten(row, stream)) for row in rows}
    assert len(contents) == len(rows), "an id stands twice"
    return contents


def true_contents(cloud: Sandbox, stream: Stream, day: date) -> dict[str, str]:
    """Return what the tenant serves now: id to content."""
    return {item["id"]: _canonical(item) for item in truth_items(cloud, stream, day)}


def true_history(cloud: Sandbox, stream: Stream, day: date) -> set[tuple[str, str]]:
    """Return every (id, content) that a listing could have brought."""
    return {(item["id"], _canonical(item)) for item in truth_items(cloud, stream, day)}


def truth_items(cloud: Sandbox, stream: Stream, day: date) -> list[dict[str, Any]]:
    """Return the tenant's truth of the day, as `GET /truth` tells it, in the order of versions."""
    url = f"{cloud.settings['control_url']}/truth?stream={stream.name}&day={day}"
    answer = requests.get(url, timeout=30)
    answer.raise_for_status()
    return [json.loads(line) for line in answer.content.split(b"\n") if line]


def _canonical(item: dict[str, Any]) -> str:
    return canonical(parse_record(item["raw"]) if "raw" in item else item["record"])
