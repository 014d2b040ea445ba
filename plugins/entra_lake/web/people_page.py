"""One user, one IP address, one event; and the search box that leads to them."""

from __future__ import annotations

import re
from ipaddress import ip_address

from fastapi import APIRouter, HTTPException, status
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from entra_lake.web.panels import Panel, ask_panels
from entra_lake.web.templating import PREFIX, query
from entra_lake.web.visit import Here, Visit

router = APIRouter()

_HISTORY_LINKS = {
    "ip_address": "address", "user_principal_name": "user", "application": "application", "correlation_id": "event",
    "id": "event",
}  # fmt: skip
_FINDINGS = Panel(
    name="findings",
    title="Findings",
    streams=(),
    rows=60,
    links={"title": "finding", "user_principal_name": "user", "ip_address": "address"},
    hides=("first_event_time", "last_event_time", "entity_type", "entity", "rule", "first_found_at", "last_found_at"),
)
_USER = (
    Panel(name="sign_ins_by_day", title="Sign-ins a day, by outcome", is_over_time=True, rows=0),
    _FINDINGS,
    Panel(name="user_addresses", title="Addresses and countries", label="country",
          links={"ip_address": "address"}),
    Panel(name="sign_ins_by_application", title="Applications", label="application",
          links={"application": "application"}),
    Panel(name="sign_ins_by_device", title="Devices and browsers", label="operating_system"),
    Panel(name="top_errors", title="What did not succeed", label="reason", value="sign_ins"),
    Panel(name="user_history", title="Timeline, newest first", links=_HISTORY_LINKS, rows=100, is_timeline=True),
)  # fmt: skip
_ADDRESS = (
    Panel(name="sign_ins_by_day", title="Sign-ins a day, by outcome", is_over_time=True, rows=0),
    _FINDINGS,
    Panel(name="address_users", title="Who signed in from here", label="user_name",
          links={"user_name": "user", "application": "application"}),
    Panel(name="address_history", title="Timeline, newest first", links=_HISTORY_LINKS, rows=100, is_timeline=True),
)  # fmt: skip
_EVENT = (Panel(name="events_by_id", title="Records with this id", links=_HISTORY_LINKS, rows=100),)
_NAMES = (Panel(name="search_names", title="Users and applications", links={"name": "kind"}, rows=100),)
PEOPLE_PANELS = (*_USER, *_ADDRESS, *_EVENT)

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@router.get("/user")
def show_user(visit: Here, user: str) -> HTMLResponse:
    """Show one user: timeline, countries, devices, applications."""
    return _show(visit, _USER, f"User {user}", {"user": user})


@router.get("/address")
def show_address(visit: Here, address: str) -> HTMLResponse:
    """Show one IP address: who came from it, and when."""
    return _show(visit, _ADDRESS, f"Address {address}", {"address": address})


@router.get("/event")
def show_event(visit: Here, event_id: str) -> HTMLResponse:
    """Show what belongs to a request id or correlation id."""
    return _show(visit, _EVENT, f"Event {event_id}", {"event_id": event_id})


@router.get("/search")
def search(visit: Here, q: str = "") -> Response:
    """Lead to the user, address or event that a text names; else list whose name holds it."""
    text = q.strip()
    span = {"lake": visit.lake.name, "first": visit.period.first, "last": visit.period.last}
    path, name = kind_of(text)
    if path:
        return RedirectResponse(f"{PREFIX}/{path}?{query(**{name: text}, **span)}", status_code=303)
    if not text:
        return RedirectResponse(f"{PREFIX}/overview?{query(**span)}", status_code=303)
    return _show(visit, _NAMES, f"Search for {text}", {"text": text})


def kind_of(text: str) -> tuple[str, str]:
    """Return the page that a text belongs to, and the name of its parameter; two empty texts where it is a name."""
    if "@" in text and " " not in text:
        return "user", "user"
    if _GUID.fullmatch(text):
        return "event", "event_id"
    try:
        ip_address(text)
    except ValueError:
        return "", ""
    return "address", "address"


def _show(visit: Visit, panels: tuple[Panel, ...], title: str, filters: dict[str, str]) -> HTMLResponse:
    if not all(value.strip() for value in filters.values()):
        raise HTTPException(status.HTTP_400_BAD_REQUEST, "The address names nobody and nothing to look for.")
    shown = ask_panels(visit.reader, panels, visit.period, filters)
    return visit.page("people.html", title=title, filters=filters, panels=shown)
