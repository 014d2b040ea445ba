"""Days of a lake that are verified without having been collected: records as Graph sends them, and their manifests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from entra_lake.lake import Lake
from entra_lake.layout import LAKE_KEY, lake_key, manifest_key
from entra_lake.manifest import Manifest
from entra_lake.schema import Stream
from entra_lake.settings import DetectionSettings, include_folder
from entra_lake.streams import STREAMS
from entra_lake.tables import repair_partitions
from sql_cases import to_parquet, to_row

SIGN_INS, AUDITS = STREAMS["sign_ins"], STREAMS["directory_audits"]


class VerifiedDays:
    """Put days into a prepared lake; what is put later replaces the day."""

    def __init__(self, lake: Lake) -> None:
        """Use a lake that `prepare` has shaped."""
        self.lake = lake
        self._s3 = lake.aws.client("s3")
        self._registered: set[tuple[Stream, date]] = set()

    def empty(self) -> None:
        """Take everything out of the lake but its tables and their partitions."""
        for item in list(self.lake.store.list("")):
            if item.key != LAKE_KEY:
                self._s3.delete_object(Bucket=self.lake.settings.bucket, Key=item.key)

    def put(self, stream: Stream, day: date, records: Sequence[Mapping[str, Any]], *, verified: bool = True) -> None:
        """Let the day hold these records, and one more that no rule cares for."""
        quiet = {"id": f"quiet-{day}", stream.time_field: f"{day}T12:00:00Z"}
        rows = [to_row({**record}, stream) for record in (quiet, *records)]
        self._write(lake_key(stream, day), to_parquet(rows, stream))
        if (stream, day) not in self._registered:
            repair_partitions(self.lake, stream, day)
            self._registered.add((stream, day))
        if verified:
            self.verify(stream, day)

    def verify(self, stream: Stream, day: date) -> None:
        """Acknowledge what the day holds now."""
        found = self.lake.store.look(lake_key(stream, day))
        assert found
        manifest = Manifest(
            stream=stream.name,
            day=str(day),
            tenant_id=self.lake.tenant_id,
            committed_at=f"{day}T23:59:59Z",
            retention_days=30,
            passes=({"pass_id": "p", "start": f"{day}T00:00:00Z", "end": f"{day}T23:59:59Z"},),
            object={"key": found.key, "etag": found.etag, "size": found.size},
            athena={"rows": 1},
        )
        self._write(manifest_key(stream, day), manifest.to_bytes())

    def _write(self, key: str, content: bytes) -> None:
        self._s3.put_object(Bucket=self.lake.settings.bucket, Key=key, Body=content)


def created_user(name: str, day: date, at: str = "10:00:00", **actor: Any) -> dict[str, Any]:
    """Return the record of a user's creation."""
    by = {"id": "id-of-mallory", "userPrincipalName": "mallory@contoso.example", "ipAddress": "192.0.2.66", **actor}
    target = {"id": f"id-of-{name}", "type": "User", "userPrincipalName": f"{name}@contoso.example"}
    return {
        "id": f"a-{name}-{day}-{at}",
        "activityDateTime": f"{day}T{at}Z",
        "activityDisplayName": "Add user",
        "category": "UserManagement",
        "result": "success",
        "initiatedBy": {"user": by, "app": None},
        "targetResources": [target],
    }


RULE = """/* ---
id: {id}
title: {title}
severity: {severity}
attack: [T1078.004]
streams: [{streams}]
entity: user
why: It matters.
look_back: {look_back}
needs_history: {needs_history}
false_positives: []
what_to_do:
  - Look at it.
--- */
{body}
"""
BODY = """SELECT id AS entity, event_time AS first_event_time, event_time AS last_event_time,
  CAST(1 AS bigint) AS event_count,
  CAST(NULL AS varchar) AS user_id, CAST(NULL AS varchar) AS user_principal_name, CAST(NULL AS varchar) AS ip_address,
  'Found ' || id AS summary, json_format(CAST(ARRAY['directory_audits:' || id] AS json)) AS evidence_json
FROM directory_audits WHERE dt = {{ day }} AND id LIKE 'hit%'"""


def write_rule(folder: Path, name: str, body: str = BODY, **facts: Any) -> Path:
    """Write a rule of the operator's own; without a body, one that finds all audits whose id begins with `hit`."""
    folder.mkdir(exist_ok=True)
    known = {"title": f"The rule {name}", "severity": "high", "streams": "directory_audits"}
    known |= {"look_back": 0, "needs_history": 0, **facts}
    path = folder / f"{name}.sql"
    path.write_text(RULE.format(id=name, body=body, **known))
    return path


def hit(number: int | str, day: date) -> dict[str, Any]:
    """Return an audit that the rule of `write_rule` finds."""
    return {"id": f"hit-{number}", "activityDateTime": f"{day}T09:00:00Z", "activityDisplayName": "Something"}


def with_rules(lake: Lake, folder: Path | None = None, *, shipped: Sequence[str] = (), **settings: Any) -> Lake:
    """Return the lake with the operator's own rules, and of those that come with it only the named ones."""
    known = [path.stem for path in (include_folder() / "sql" / "detections").glob("*.sql")]
    rules = {name: {"enabled": False} for name in known if name not in shipped} | settings.pop("rules", {})
    found = DetectionSettings(folder=str(folder) if folder else None, rules=rules, **settings)
    return replace(lake, settings=replace(lake.settings, detections=found))


def examination(lake: Lake, day: date) -> dict[str, Any]:
    """Return the day's document as it is stored."""
    stored = lake.store.read(f"examinations/{day}.json")
    assert stored
    facts: dict[str, Any] = json.loads(stored[0])
    return facts
