"""The page of one day: its passes, its way from Graph to Athena, its file, and what the schema did not expect."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Response, status
from fastapi.responses import HTMLResponse

from entra_lake.day_state import state
from entra_lake.due import owed
from entra_lake.errors import ConfigurationError
from entra_lake.examinations import read_examination
from entra_lake.lake_facts import expires_at, hours_to_expiry
from entra_lake.manifest import Manifest
from entra_lake.schema import Stream
from entra_lake.slices import ONE_DAY
from entra_lake.tally import LATENESS_HOURS
from entra_lake.web.charts import histogram
from entra_lake.web.findings_page import findings_of_day
from entra_lake.web.lake_reader import LakeReader
from entra_lake.web.periods import day_of
from entra_lake.web.visit import Here

router = APIRouter()


@router.get("/day")
def show_day(visit: Here, day: str, stream: str = "") -> HTMLResponse:
    """Show what is known for certain of one day, stream by stream."""
    reader, chosen = visit.reader, _day(day)
    facts = reader.facts()
    findings, findings_trouble = findings_of_day(visit, chosen)
    return visit.page(
        "day.html",
        title=f"Day {chosen:%A} {chosen}",
        day=chosen,
        before=chosen - ONE_DAY,
        after=chosen + ONE_DAY,
        hours=hours_to_expiry(chosen, reader.now, facts) if facts else None,
        expires=expires_at(chosen, facts) if facts else None,
        findings=findings,
        findings_trouble=findings_trouble,
        rules=sorted(read_examination(reader.lake.store, chosen).rules.items()),
        streams=[_stream_facts(reader, item, chosen) for item in reader.lake.streams if stream in ("", item.name)],
    )


@router.get("/day/manifest")
def download_manifest(visit: Here, day: str, stream: str) -> Response:
    """Return the day's manifest as it lies in the lake."""
    named = next((item for item in visit.reader.lake.streams if item.name == stream), None)
    found = visit.reader.manifest(named, _day(day)) if named else None
    if named is None or found is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no manifest of this stream and day.")
    headers = {"Content-Disposition": f'attachment; filename="{named.name}-{_day(day)}.json"'}
    return Response(found.to_bytes(), media_type="application/json", headers=headers)


def _stream_facts(reader: LakeReader, stream: Stream, day: date) -> dict[str, Any]:
    """Return what the template shows of one stream on this day."""
    manifest, promised = reader.manifest(stream, day), reader.facts()
    facts = promised.of(stream.name) if promised else None
    debt = owed(manifest, reader.now, facts, day) if facts else None
    return {
        "stream": stream,
        "manifest": manifest,
        "state": state(manifest, reader.now, facts, day) if facts else "nothing",
        "debt": debt,
        "passes": [_pass_facts(item) for item in reversed(manifest.passes)] if manifest else [],
        "flow": _flow(manifest) if manifest else [],
        "lateness": _lateness_chart(manifest, stream) if manifest and manifest.lateness else None,
        "lateness_rows": _lateness_rows(manifest) if manifest else [],
        "drift": sorted(manifest.drift.items()) if manifest else [],
        "footer": json.dumps(dict(manifest.object), indent=1, sort_keys=True) if manifest else "",
    }


def _pass_facts(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pass with the address of its run, where Airflow made it; older manifests lack the newer counts."""
    run_id = str(item.get("run_id", ""))
    run = f"/dag_runs?run_id_pattern={quote(run_id, safe='')}" if "__" in run_id else ""
    return {"lateness": {}, "changed_fields": {}, "moved": 0, "missing": 0, "failed": [], **item, "run_url": run}


def _flow(manifest: Manifest) -> list[tuple[str, str, int, str]]:
    """Return the day's way: what the last pass listed, what raw brought, what the object and Athena hold."""
    last = manifest.passes[-1] if manifest.passes else {}
    news = sum(int(item.get("new", 0)) + int(item.get("changed", 0)) for item in manifest.passes)
    answer = manifest.athena
    return [
        ("Graph, last pass", "records listed", int(last.get("listed", 0)), _several(int(last.get("pages", 0)), "page")),
        ("raw", "new or changed", news, f"in {_several(len(manifest.passes), 'pass', 'passes')}"),
        ("Parquet", "versions", int(manifest.object.get("rows", 0)), f"{int(manifest.object.get('ids', 0))} ids"),
        ("Athena", "rows counted", int(answer.get("rows", 0)), f"{int(answer.get('ids', 0))} ids"),
    ]


def _lateness_rows(manifest: Manifest) -> list[dict[str, Any]]:
    names = [*(str(hours) for hours in LATENESS_HOURS), "more"]
    return [
        {"name": f"≤ {name} h" if name != "more" else "later", "count": int(manifest.lateness[name])}
        for name in names
        if name in manifest.lateness
    ]


def _lateness_chart(manifest: Manifest, stream: Stream) -> Any:  # noqa: ANN401 - Markup
    title = f"{stream.name} {manifest.day}: hours from event to the pass that first brought it"
    return histogram(_lateness_rows(manifest), title=title)


def _day(text: str) -> date:
    try:
        return day_of(text)
    except ConfigurationError as error:
        raise HTTPException(status.HTTP_404_NOT_FOUND, error.message) from error


def _several(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
