"""The tab on runs: which days a run has read, each a link to its page; where it is one, that page itself."""

from __future__ import annotations

from datetime import date

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from entra_lake.errors import ConfigurationError
from entra_lake.web.access import daily_dag_id
from entra_lake.web.airflow_api import AirflowApi
from entra_lake.web.lake_reader import LakeReader
from entra_lake.web.periods import day_of
from entra_lake.web.templating import PREFIX, query
from entra_lake.web.visit import Here, Visit

router = APIRouter()


@router.get("/run")
def show_run(visit: Here, dag_id: str, run_id: str) -> Response:
    """Lead to the day of a run of ours; list the days where there are several, and say so where there is none."""
    read = _days_read(visit.reader, run_id)
    days = sorted(read.keys() | _days_named(visit, dag_id, run_id))
    if len(days) == 1:
        return RedirectResponse(f"{PREFIX}/day?{query(lake=visit.lake.name, day=days[0])}", status_code=303)
    rows = [(day, read.get(day, [])) for day in days]
    return visit.page("run.html", title="Days of this run", rows=rows, dag_id=dag_id, run_id=run_id)


def _days_read(reader: LakeReader, run_id: str) -> dict[date, list[str]]:
    """Return the days of which this run's passes are acknowledged, each with its streams."""
    found: dict[date, list[str]] = {}
    for (stream, day), manifest in sorted(reader.manifests().items()):
        if any(item.get("run_id") == run_id for item in manifest.passes):
            found.setdefault(day, []).append(stream)
    return found


def _days_named(visit: Visit, dag_id: str, run_id: str) -> set[date]:
    """Return the day that a run of the daily DAG is for, also before anything of it is acknowledged."""
    named = AirflowApi(visit.request, visit.lake).day_of_run(run_id) if dag_id == daily_dag_id(visit.lake) else ""
    try:
        return {day_of(named)} if named else set()
    except ConfigurationError:
        return set()
