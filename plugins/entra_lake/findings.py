"""What a rule has found: rows of the table `findings`, one object per day and rule.

A finding is known by (rule, day, entity). It stays when a later run no longer finds it: somebody may have
been told of it. What it was first based on stays with it.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from entra_lake.arrow import ARROW_TYPES
from entra_lake.athena import Answer
from entra_lake.detections import RESULT_COLUMNS, SEVERITIES, Detection
from entra_lake.errors import DataError, DetectionFailedError
from entra_lake.finding_columns import FINDING_COLUMNS

#: Findings that one rule keeps of one day; a rule that finds more finds nothing.
MOST_FINDINGS = 1000
#: Records that one finding names.
MOST_EVIDENCE = 50
_LONGEST_TEXT = 2000
_MOST_EVENTS = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One finding.

    :param entity: id or name of what it is about; `entity_type` says of what kind that is.
    :param summary: what happened, in one sentence, with texts that attackers may have chosen.
    :param evidence: the records behind it, `<stream>:<record id>`.
    :param first_found_at: when a run found it first.
    :param last_found_at: when a run found it last: an older time than the day's last run means that it is history.
    """

    rule: str
    title: str
    severity: str
    attack: tuple[str, ...]
    entity_type: str
    entity: str
    first_event_time: datetime | None
    last_event_time: datetime | None
    event_count: int
    user_id: str | None
    user_principal_name: str | None
    ip_address: str | None
    summary: str
    evidence: tuple[str, ...]
    tenant_id: str
    first_found_at: datetime
    last_found_at: datetime

    def key(self, day: date) -> str:
        """Return a name for the finding that tells nobody what it is about."""
        return key_of(str(day), self.rule, self.entity)

    @property
    def rank(self) -> int:
        """Return how urgent it is: the highest first when sorted."""
        return -SEVERITIES.index(self.severity) if self.severity in SEVERITIES else 1


_SCHEMA = pa.schema([pa.field(column.name, ARROW_TYPES[column.type]) for column in FINDING_COLUMNS])


def key_of(day: str, rule: str, entity: str) -> str:
    """Return the name of the finding of this day, rule and entity."""
    return hashlib.sha256(f"{day}\n{rule}\n{entity}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


def parse_findings(answer: Answer, detection: Detection, tenant_id: str, now: datetime) -> list[Finding]:
    """Return what Athena's answer to a rule says.

    :raises DetectionFailedError: when it is no list of findings, naming the rule and what is wrong with it.
    """
    if answer.rows and answer.columns != tuple(RESULT_COLUMNS):
        expected = ", ".join(RESULT_COLUMNS)
        message = f"{detection.id}: the statement returns {', '.join(answer.columns)}; expected {expected}."
        raise DetectionFailedError(message)
    if len(answer.rows) > MOST_FINDINGS:
        message = (
            f"{detection.id}: {len(answer.rows)} findings on one day; at most {MOST_FINDINGS} make sense. Raise the "
            "rule's thresholds, or list what may be trusted, below `detections` in lakes.yaml."
        )
        raise DetectionFailedError(message)
    found = [_finding(row, detection, tenant_id, now) for row in answer.rows]
    return list({item.entity: item for item in found}.values())


def merge(known: Iterable[Finding], found: Iterable[Finding]) -> list[Finding]:
    """Return what is known with what was found now: nothing goes, and what is found again keeps its beginning."""
    merged = {item.entity: item for item in known}
    for item in found:
        old = merged.get(item.entity)
        merged[item.entity] = _again(old, item) if old else item
    return sorted(merged.values(), key=lambda item: (item.rank, str(item.first_event_time), item.entity))


def to_parquet(findings: Iterable[Finding]) -> bytes:
    """Return findings as one Parquet object."""
    rows = [{**asdict(item), "evidence_json": json.dumps(item.evidence)} for item in findings]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, _SCHEMA), buffer, compression="zstd")
    return buffer.getvalue()


def from_parquet(content: bytes, where: str) -> list[Finding]:
    """Return the findings of one Parquet object.

    :raises DataError: when it holds none.
    """
    try:
        rows = pq.read_table(io.BytesIO(content)).to_pylist()
        return [finding_of_row({**row, "evidence": json.loads(row["evidence_json"] or "[]")}) for row in rows]
    except (pa.ArrowException, KeyError, ValueError, TypeError) as error:
        message = f"{where} holds no findings ({type(error).__name__}). Restore it from its noncurrent version."
        raise DataError(message) from error


def finding_of_row(row: Mapping[str, Any]) -> Finding:
    """Return the finding of a row whose values have their types already, `evidence` among them."""
    facts: dict[str, Any] = {item.name: row.get(item.name) for item in fields(Finding)}
    return Finding(**{**facts, "attack": tuple(row.get("attack") or ()), "evidence": tuple(row.get("evidence") or ())})


def _again(old: Finding, new: Finding) -> Finding:
    moments = [moment for moment in (old.first_event_time, new.first_event_time) if moment]
    return replace(
        new,
        first_event_time=min(moments, default=None),
        first_found_at=old.first_found_at,
        evidence=tuple(dict.fromkeys((*old.evidence, *new.evidence)))[:MOST_EVIDENCE],
    )


def _finding(row: Mapping[str, str | None], detection: Detection, tenant_id: str, now: datetime) -> Finding:
    try:
        return Finding(
            rule=detection.id,
            title=detection.title,
            severity=detection.severity,
            attack=detection.attack,
            entity_type=detection.entity,
            entity=_text(row["entity"]) or "unknown",
            first_event_time=_moment(row["first_event_time"]),
            last_event_time=_moment(row["last_event_time"]),
            event_count=min(int(row["event_count"] or 0), _MOST_EVENTS),
            user_id=_text(row["user_id"]),
            user_principal_name=_text(row["user_principal_name"]),
            ip_address=_text(row["ip_address"]),
            summary=_text(row["summary"]) or detection.title,
            evidence=_evidence(row["evidence_json"]),
            tenant_id=tenant_id,
            first_found_at=_cut(now),
            last_found_at=_cut(now),
        )
    except (ValueError, TypeError) as error:
        message = f"{detection.id}: a row of the answer cannot be a finding ({error}). Correct the rule's statement."
        raise DetectionFailedError(message) from error


def _evidence(text: str | None) -> tuple[str, ...]:
    named: Sequence[Any] = json.loads(text or "[]")
    if not isinstance(named, list) or not all(isinstance(item, str) for item in named):
        message = "evidence_json is no list of texts"
        raise ValueError(message)
    return tuple(named[:MOST_EVIDENCE])


def _text(value: str | None) -> str | None:
    return value[:_LONGEST_TEXT] if value else None


def _moment(text: str | None) -> datetime | None:
    """Return the moment that Athena writes as `2026-11-22 01:37:12.000`, with or without its zone."""
    if not text:
        return None
    moment = datetime.fromisoformat(text.removesuffix(" UTC").strip())
    return _cut(moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC))


def _cut(moment: datetime) -> datetime:
    """Return the moment in milliseconds, as the table keeps it."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
