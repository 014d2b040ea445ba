"""SQL tested as data: a case is a YAML file with Graph records and the rows that the lake's Athena must give for them.

    what: A consent prompt is a step on the way.       # the behaviour, in a sentence
    sign_ins:                                          # records as Graph sends them; what is left out is left out
      - {id: a, createdDateTime: "2026-11-22T10:00:00Z", status: {errorCode: 65001}}
    expected:                                          # all rows; only the columns named here are compared
      - {id: a, outcome: interrupted}

A record under an id that came before is a later version of it. What `_shared.yaml` beside the cases says is put before
each of them: YAML anchors to be merged into records. Cases of views may give a `query`, cases of detections the `day`,
and `settings` as in lakes.yaml.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from entra_lake.arrow import record_batch
from entra_lake.flatten import Row, flatten, parse_time
from entra_lake.lake import Lake
from entra_lake.layout import lake_key
from entra_lake.schema import Stream
from entra_lake.sql import render
from entra_lake.streams import STREAMS

FOLDER = Path(__file__).parent / "sql"
Json = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """YAML without dates: a time stays the text that Graph sends."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class Case:
    """One case: the folder above it names what is tested."""

    path: Path

    @property
    def subject(self) -> str:
        """Return the name of the view or detection."""
        return self.path.parent.name

    def __str__(self) -> str:
        """Name the case for pytest."""
        return f"{self.subject}-{self.path.stem}"

    @cached_property
    def facts(self) -> Json:
        """Return what the file says."""
        text = self.path.read_text(encoding="utf-8")
        shared = self.path.parent / "_shared.yaml"
        prefix = shared.read_text(encoding="utf-8") if shared.exists() else ""
        facts: Json = yaml.load(prefix + text, _Loader)
        return facts

    @property
    def records(self) -> dict[Stream, list[Json]]:
        """Return the case's Graph records."""
        return {stream: self.facts.get(name, []) for name, stream in STREAMS.items()}


def cases(kind: str) -> list[Case]:
    """Return all cases of a kind: views, detections."""
    return [Case(path) for path in sorted((FOLDER / kind).glob("*/*.yaml")) if not path.name.startswith("_")]


class Desk:
    """A prepared lake whose contents are replaced from case to case; its tables and views stay."""

    def __init__(self, lake: Lake) -> None:
        """Use a lake that `prepare` has shaped."""
        self.lake = lake
        self._s3 = lake.aws.client("s3")
        self._days: dict[Stream, set[date]] = defaultdict(set)

    def fill(self, records: Mapping[Stream, Sequence[Json]]) -> None:
        """Let the lake hold these records and no others, flattened, in the partitions of their days."""
        for stream in STREAMS.values():
            days = _by_day(records.get(stream, ()), stream)
            for day in self._days[stream] - days.keys():
                self._s3.delete_object(Bucket=self.lake.settings.bucket, Key=lake_key(stream, day))
            for day, rows in days.items():
                body = to_parquet(rows, stream)
                self._s3.put_object(Bucket=self.lake.settings.bucket, Key=lake_key(stream, day), Body=body)
            self._register(stream, days.keys() - self._days[stream])
            self._days[stream] |= days.keys()

    def ask(self, statement: str) -> list[dict[str, str | None]]:
        """Return the rows that Athena gives."""
        return list(self.lake.athena.run(statement).rows)

    def _register(self, stream: Stream, days: set[date]) -> None:
        if days:
            names = {"database": self.lake.settings.database, "table": stream.history_table}
            self.lake.athena.run(render("tables/repair_partitions.sql", **names))


def _by_day(records: Sequence[Json], stream: Stream) -> dict[date, list[Row]]:
    days: dict[date, list[Row]] = defaultdict(list)
    latest: dict[str, Row] = {}
    for record in records:
        row = to_row(record, stream)
        if previous := latest.get(record["id"]):
            previous["is_latest"], row["version"] = False, previous["version"] + 1
        latest[record["id"]] = row
        days[(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=row["event_time"])).date()].append(row)
    return days


def to_row(record: Json, stream: Stream) -> Row:
    """Return a record as a row of its stream's table."""
    event_time = parse_time(record[stream.time_field])
    sha256 = hashlib.sha256(json.dumps(record).encode()).hexdigest()
    seen = {"first_seen_at": event_time, "last_seen_at": event_time}
    facts = {"event_time": event_time, "tenant_id": "t", "record_sha256": sha256, "version": 1, "is_latest": True}
    return flatten(record, stream) | facts | seen


def to_parquet(rows: list[Row], stream: Stream) -> bytes:
    """Return rows as one Parquet object."""
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_batches([record_batch(rows, stream)]), buffer, compression="zstd")
    return buffer.getvalue()


def compare(rows: Sequence[Mapping[str, str | None]], expected: Sequence[Json]) -> tuple[list[str], list[str]]:
    """Return found and expected rows in one form and order, of the columns that are expected anywhere."""
    names = sorted({name for row in expected for name in row})
    found = sorted(json.dumps([row.get(name, "no such column") for name in names]) for row in rows)
    wanted = sorted(json.dumps([_text(row.get(name)) for name in names]) for row in expected)
    return found, wanted


def _text(value: object) -> str | None:
    """Return a value as Athena writes it."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"))
