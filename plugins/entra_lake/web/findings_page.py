"""Findings: what detections have found, the records behind each, and what nobody wants to hear of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Response, status
from fastapi.responses import HTMLResponse, RedirectResponse

from entra_lake.detections import SEVERITIES
from entra_lake.errors import EntraLakeError
from entra_lake.findings import key_of
from entra_lake.mutes import mute, read_mutes, unmute
from entra_lake.rules import read_rules
from entra_lake.sql import render
from entra_lake.web.access import TriggerLake, User, may_trigger
from entra_lake.web.evidence import read_one, records_behind
from entra_lake.web.lake_reader import Asked, is_absent
from entra_lake.web.periods import day_of
from entra_lake.web.spreadsheet import csv_answer
from entra_lake.web.templating import PREFIX, query
from entra_lake.web.visit import Here, Visit

router = APIRouter()

#: What the list shows of muted findings.
MUTED = {"": "without muted ones", "also": "muted ones too", "only": "muted ones only"}
_SHOWN = 200


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the list is narrowed to."""

    severity: str = ""
    rule: str = ""
    muted: str = ""

    def fits(self, row: Mapping[str, Any]) -> bool:
        """Tell whether a finding is wanted."""
        is_shown = {"": not row["muted"], "also": True, "only": bool(row["muted"])}[self.muted]
        return is_shown and self.severity in ("", row["severity"]) and self.rule in ("", row["rule"])


@router.get("/findings")
def show_findings(visit: Here, severity: str = "", rule: str = "", muted: str = "") -> HTMLResponse:
    """List what was found in a period."""
    wanted = _wanted(severity, rule, muted)
    asked, trouble = _ask(visit)
    rows = _rows(visit, asked)
    shown = [row for row in rows if wanted.fits(row)]
    return visit.page(
        "findings.html",
        title="Findings",
        wanted=wanted,
        rows=shown[:_SHOWN],
        more=len(shown) - len(shown[:_SHOWN]),
        counts=_counts(shown),
        hidden=len(rows) - len(shown),
        rules=sorted({(row["rule"], row["title"]) for row in rows}, key=lambda pair: pair[1].lower()),
        severities=list(reversed(SEVERITIES)),
        choices=MUTED,
        asked=asked,
        trouble=trouble,
    )


@router.get("/findings.csv")
def download_findings(visit: Here, severity: str = "", rule: str = "", muted: str = "") -> Response:
    """Return the same list as CSV."""
    wanted = _wanted(severity, rule, muted)
    asked, trouble = _ask(visit)
    if trouble:
        raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE, trouble)
    columns = (*(asked.answer.columns if asked else ()), "muted")
    rows = [{**row, "muted": "yes" if row["muted"] else ""} for row in _rows(visit, asked) if wanted.fits(row)]
    return csv_answer(f"findings-{visit.period.first}-{visit.period.last}", columns, rows)


@router.get("/finding")
def show_finding(visit: Here, user: User, day: str, key: str) -> HTMLResponse:
    """Show one finding: why it matters, what to do, and the records behind it."""
    chosen = _day(day)
    found = read_one(visit.reader, chosen, key)
    if found is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such finding. It may have been erased.")
    finding, noted = found
    rules = {item.id: item for item in read_rules(visit.lake).detections}
    known = rules.get(finding.rule)
    return visit.page(
        "finding.html",
        title=finding.title,
        day=chosen,
        key=key,
        finding=finding,
        noted=noted,
        rule=known,
        records=records_behind(visit.reader, finding, chosen),
        muted=read_mutes(visit.reader.lake.store).of(finding, visit.reader.now),
        statement=known.render(chosen, visit.lake.detections) if known else "",
        may_mute=may_trigger(user, visit.lake),
    )


@router.post("/finding/mute")
def mute_finding(  # noqa: PLR0913, PLR0917 - a form
    visit: Here,
    lake: TriggerLake,
    user: User,
    day: str,
    key: str,
    why: Annotated[str, Form()] = "",
    until: Annotated[str, Form()] = "",
) -> RedirectResponse:
    """Let no mail speak of this rule and entity any more, in the user's name."""
    finding = _finding(visit, day, key)
    last = _day(until) if until else None
    store, now = visit.reader.lake.store, visit.reader.now
    try:
        mute(store, finding.rule, finding.entity, by=user.get_name(), now=now, why=why, until=last)
    except EntraLakeError as error:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, error.message) from error
    return _back(lake.name, day, key)


@router.post("/finding/unmute")
def unmute_finding(visit: Here, lake: TriggerLake, day: str, key: str) -> RedirectResponse:
    """Let mails speak of this rule and entity again."""
    finding = _finding(visit, day, key)
    unmute(visit.reader.lake.store, finding.rule, finding.entity)
    return _back(lake.name, day, key)


def findings_of_day(visit: Visit, day: date) -> tuple[list[dict[str, Any]], str]:
    """Return what was found on one day, muted or not, and what went wrong."""
    asked, trouble = _ask(visit, day)
    return _rows(visit, asked), trouble


def _ask(visit: Visit, day: date | None = None) -> tuple[Asked | None, str]:
    names = {"database": visit.lake.database, "first_day": day or visit.period.first}
    try:
        return visit.reader.ask(render("dashboards/findings.sql", **names, last_day=day or visit.period.last)), ""
    except EntraLakeError as error:
        if is_absent(error):
            return None, ""
        return None, f"{error.code}: {error.message}"


def _rows(visit: Visit, asked: Asked | None) -> list[dict[str, Any]]:
    """Return the answer's rows with each finding's key and whether it is muted."""
    if asked is None or not asked.rows:
        return []
    mutes, now = read_mutes(visit.reader.lake.store), visit.reader.now
    return [
        {
            **row,
            "key": key_of(str(row["day"]), str(row["rule"]), str(row["entity"])),
            "muted": mutes.named(str(row["rule"]), str(row["entity"]), now) is not None,
        }
        for row in asked.rows
    ]


def _counts(rows: list[dict[str, Any]]) -> list[tuple[str, int]]:
    counts = Counter(row["severity"] for row in rows)
    return [(name, counts[name]) for name in reversed(SEVERITIES) if counts[name]]


def _wanted(severity: str, rule: str, muted: str) -> Wanted:
    if severity not in ("", *SEVERITIES) or muted not in MUTED:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, "There is no such choice.")
    return Wanted(severity=severity, rule=rule, muted=muted)


def _finding(visit: Visit, day: str, key: str) -> Any:  # noqa: ANN401 - a finding
    found = read_one(visit.reader, _day(day), key)
    if found is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such finding. It may have been erased.")
    return found[0]


def _day(text: str) -> date:
    try:
        return day_of(text)
    except EntraLakeError as error:
        raise HTTPException(status.HTTP_404_NOT_FOUND, error.message) from error


def _back(lake: str, day: str, key: str) -> RedirectResponse:
    return RedirectResponse(f"{PREFIX}/finding?{query(lake=lake, day=day, key=key)}", status_code=303)
