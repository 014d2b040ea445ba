"""Coverage: which days are safe, which are not, until when they can be had, and a form that fills them."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, status
from fastapi.responses import HTMLResponse, RedirectResponse

from entra_lake.coverage import Coverage, DayCoverage, coverage
from entra_lake.day_state import State
from entra_lake.errors import EntraLakeError
from entra_lake.slices import check_day
from entra_lake.web.access import TriggerLake, User, daily_dag_id, may_trigger
from entra_lake.web.airflow_api import BEHAVIOURS, AirflowApi
from entra_lake.web.templating import PREFIX, query
from entra_lake.web.visit import Here, Visit

router = APIRouter()

#: Days that are shown large, and days that are shown small.
LARGE_DAYS = 30
SMALL_DAYS = 365
#: A page that waits for runs looks again after so many seconds.
REFRESH_SECONDS = 5
#: State to its sign, for those who cannot tell colours apart, and its meaning.
LEGEND = {
    State.SEALED: ("✓", "last reading done and clean"),
    State.SETTLED: ("s", "a later reading brought nothing new"),
    State.OPEN: ("o", "read completely, will be read again"),
    State.PARTIAL: ("½", "a part could not be had"),
    State.MISSING: ("!", "not read yet, can still be had"),
    State.LOST: ("✗", "deleted by Microsoft before it was read"),
    State.BEFORE: ("·", "before this lake began"),
}


@router.get("/coverage")
def show_coverage(visit: Here, user: User, started: int = 0) -> HTMLResponse:
    """Show the state of each day of each stream, and what a backfill could fill."""
    facts = visit.reader.facts()
    manifests = visit.reader.manifests()
    pace = visit.lake.requests_per_10_seconds
    shown = {
        days: coverage(visit.reader.now, manifests, facts, days=days, requests_per_10_seconds=pace) if facts else None
        for days in (LARGE_DAYS, SMALL_DAYS)
    }
    large = shown[LARGE_DAYS]
    api = AirflowApi(visit.request, visit.lake)
    return visit.page(
        "coverage.html",
        title="Coverage",
        large=large,
        small=shown[SMALL_DAYS],
        legend=LEGEND,
        sentence=sentence(large) if large else "",
        wanted=_wanted(visit, large),
        behaviours=BEHAVIOURS,
        may_fill=may_trigger(user, visit.lake),
        dag_id=daily_dag_id(visit.lake),
        is_waiting=api.has_active_backfill(),
        refresh=REFRESH_SECONDS,
        started=started,
    )


@router.get("/coverage/plan")
def show_plan(visit: Here, lake: TriggerLake, behaviour: str = "failed") -> HTMLResponse:
    """Show what a backfill of the chosen days would do, and start nothing."""
    _check(visit, behaviour)
    api = AirflowApi(visit.request, lake)
    days = api.plan_backfill(visit.period.first, visit.period.last, behaviour)
    values = {"days": days, "behaviour": behaviour, "is_paused": api.is_paused(), "dag_id": daily_dag_id(lake)}
    return visit.page("plan.html", title="Fill days", behaviours=BEHAVIOURS, **values)


@router.post("/coverage/fill")
def fill(
    visit: Here,
    lake: TriggerLake,
    behaviour: Annotated[str, Form()] = "failed",
    unpause: Annotated[bool, Form()] = False,  # noqa: FBT002 - a check box
) -> RedirectResponse:
    """Start the backfill that the address names, in the user's name, and lead back to the coverage."""
    _check(visit, behaviour)
    api = AirflowApi(visit.request, lake)
    number = api.start_backfill(visit.period.first, visit.period.last, behaviour)
    if unpause:
        api.unpause()
    return RedirectResponse(f"{PREFIX}/coverage?{query(lake=lake.name, started=number)}", status_code=303)


def sentence(found: Coverage) -> str:
    """Return what it adds up to, in one sentence."""
    total = f"{len(found.safe_days)} of {len(found.days_in_scope)} days safe"
    expiry = found.next_expiry_hours
    return f"{total} · next expiry in {expiry:.0f} h" if expiry is not None else total


def _wanted(visit: Visit, found: Coverage | None) -> tuple[date, date] | None:
    """Return the days that the form is filled with: those of the address, else from the first missing to the last."""
    if visit.request.query_params.get("first"):
        return visit.period.first, visit.period.last
    rows: list[DayCoverage] = found.having(State.MISSING, State.PARTIAL) if found else []
    return (rows[0].day, rows[-1].day) if rows else None


def _check(visit: Visit, behaviour: str) -> None:
    if behaviour not in BEHAVIOURS:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, "There is no such way to fill days.")
    for day in (visit.period.first, visit.period.last):
        try:
            check_day(day, visit.reader.now, visit.lake.retention_days)
        except EntraLakeError as error:
            raise HTTPException(status.HTTP_400_BAD_REQUEST, error.message) from error
