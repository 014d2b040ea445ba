"""The security overview: who signs in from where, into what, and what fails; what administrators changed."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Response, status
from fastapi.responses import HTMLResponse

from entra_lake.errors import EntraLakeError
from entra_lake.web.panels import FILTERS, Panel, ask_panels, statement_of
from entra_lake.web.people_page import PEOPLE_PANELS
from entra_lake.web.spreadsheet import csv_answer
from entra_lake.web.visit import Here

router = APIRouter()

INTERACTIVE_ONLY = (
    "Graph's v1.0 serves interactive sign-ins of users only: what runs without a person (refresh tokens, services, "
    "managed identities) is not in these numbers."
)
PANELS = (
    Panel(name="sign_ins_by_day", title="Sign-ins a day, by outcome", is_over_time=True, rows=0,
          note=INTERACTIVE_ONLY),
    Panel(name="findings_by_rule", title="Findings, by rule", streams=(), links={"title": "rule"}, hides=("rule",),
          note="What detections have found; muted ones too."),
    Panel(name="sign_ins_by_country", title="By country", label="country",
          note="Countries are guessed from addresses."),
    Panel(name="sign_ins_by_application", title="By application", label="application",
          links={"application": "application"}),
    Panel(name="users_by_failures", title="Users whose sign-ins fail", label="user_name", value="failures",
          links={"user_name": "user"}),
    Panel(name="top_errors", title="Why sign-ins do not succeed", label="reason", value="sign_ins"),
    Panel(name="sign_ins_by_client", title="Clients and legacy authentication", label="client"),
    Panel(name="sign_ins_by_device", title="Devices and browsers", label="operating_system"),
    Panel(name="conditional_access", title="Conditional Access", leads_to=("policies", "By policy")),
    Panel(name="risk_by_level", title="Risk", note="Without a P2 licence Graph says hidden or none."),
    Panel(name="administrative_changes", title="Administrative changes", streams=("directory_audits",),
          label="activity", value="changes", is_wide=True),
)  # fmt: skip


POLICIES = (
    Panel(name="conditional_access_by_policy", title="What each policy decided", rows=200,
          note="Graph shows policies only to applications with Policy.Read.All or Policy.Read.ConditionalAccess. "
          "Each sign-in lists every policy: this reads more than a chart."),
)  # fmt: skip


@router.get("/overview")
def show_overview(visit: Here, user: str = "", application: str = "") -> HTMLResponse:
    """Show all panels for a period, for everybody or for one user or application."""
    is_empty = not visit.reader.manifests()
    panels = () if is_empty else PANELS
    return visit.page(
        "overview.html",
        title="Security overview",
        user=user,
        application=application,
        is_empty=is_empty,
        panels=ask_panels(visit.reader, panels, visit.period, {"user": user, "application": application}),
    )


@router.get("/policies")
def show_policies(visit: Here, user: str = "", application: str = "") -> HTMLResponse:
    """Show what each Conditional Access policy decided, for everybody or for one user or application."""
    filters = {name: value for name, value in (("user", user), ("application", application)) if value}
    shown = ask_panels(visit.reader, POLICIES, visit.period, filters)
    return visit.page("people.html", title="Conditional Access", filters=filters, panels=shown)


@router.get("/panel/{name}.csv")
def download_panel(name: str, visit: Here) -> Response:
    """Return all rows of a panel's answer as CSV; the address holds the panel's filters."""
    panel = next((item for item in (*PANELS, *POLICIES, *PEOPLE_PANELS) if item.name == name), None)
    if panel is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such panel.")
    given = visit.request.query_params
    filters = {key: given[key] for key in FILTERS if given.get(key)}
    try:
        answer = visit.reader.ask(statement_of(panel, visit.reader, visit.period, filters)).answer
    except EntraLakeError as error:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, f"{error.code}: {error.message}") from error
    return csv_answer(f"{name}-{visit.period.first}-{visit.period.last}", answer.columns, answer.rows)
