"""One finding, read from the lake itself, and the records behind it, asked of Athena."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from entra_lake.errors import ConfigurationError, EntraLakeError
from entra_lake.examinations import Noted, read_examination
from entra_lake.findings import Finding, from_parquet
from entra_lake.layout import findings_key
from entra_lake.sql import literal, render
from entra_lake.streams import STREAMS
from entra_lake.web.lake_reader import Asked, LakeReader

#: Evidence is looked for in so many days before the finding's own at most: no page scans without bound.
_MOST_DAYS = 92


@dataclass(frozen=True)
class Records:
    """The records behind a finding, or why they cannot be shown."""

    asked: Asked | None = None
    trouble: str = ""


def read_one(reader: LakeReader, day: date, key: str) -> tuple[Finding, Noted] | None:
    """Return the finding of this key, and what is noted of it; None when there is none."""
    store = reader.lake.store
    noted = read_examination(store, day).findings.get(key)
    stored = store.read(findings_key(noted.rule, day)) if noted else None
    if noted is None or stored is None:
        return None
    found = from_parquet(stored[0], findings_key(noted.rule, day))
    return next(((item, noted) for item in found if item.key(day) == key), None)


def records_behind(reader: LakeReader, finding: Finding, day: date) -> Records:
    """Return the records that the finding names."""
    named = [item.partition(":") for item in finding.evidence]
    streams = [name for name in STREAMS if name in reader.settings.streams and any(part[0] == name for part in named)]
    if not streams:
        return Records()
    first = finding.first_event_time.date() if finding.first_event_time else day
    try:
        statement = render(
            "evidence/records.sql",
            database=reader.settings.database,
            streams=streams,
            first_day=max(min(first, day), day - timedelta(days=_MOST_DAYS)),
            last_day=day,
            ids=_literals([part[2] for part in named]),
        )
        return Records(reader.ask(statement))
    except EntraLakeError as error:
        return Records(trouble=f"{error.code}: {error.message}")


def _literals(ids: list[str]) -> str:
    """Return ids as SQL; one that cannot be asked for is left out."""
    quoted: list[str] = []
    for name in ids:
        try:
            quoted.append(literal(name))
        except ConfigurationError:
            continue
    return ", ".join(quoted) or "''"
