"""The query book: every SQL file with its purpose, ready for Athena; in the sandbox also with its result."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException, status
from fastapi.responses import HTMLResponse

from entra_lake.detections import Detection
from entra_lake.errors import EntraLakeError
from entra_lake.rules import read_rules
from entra_lake.settings import include_folder
from entra_lake.sql import placeholders, quote, render
from entra_lake.views import View, read_views
from entra_lake.web.lake_reader import Asked
from entra_lake.web.panels import FILTERS
from entra_lake.web.visit import Here, Visit

router = APIRouter()

#: Folders of include/sql/ that hold questions, with what they are for.
FOLDERS = {
    "dashboards": "Questions behind the charts. They read views, and only the days between two dates.",
    "checks": "Counts that prove a day.",
    "views": "What queries should read: the latest content of each record, with names that stay.",
    "detections": "What the lake's rules ask of a day, as its settings have it; the last day of the period here.",
}
_NEEDED = {
    "user": "anna.winter@example.com",
    "address": "203.0.113.7",
    "event_id": "00000000-0000-0000-0000-000000000000",
    "text": "example",
}
_COMMENT = re.compile(r"\A(?:--[^\n]*\n)+")


@dataclass(frozen=True)
class Question:
    """One SQL file.

    :param name: folder and file below include/sql/, without the ending.
    :param needs: filters without which it cannot be asked.
    """

    name: str
    purpose: str
    needs: tuple[str, ...]
    statement: str


@router.get("/queries")
def show_queries(visit: Here) -> HTMLResponse:
    """List all questions by folder."""
    books = [(folder, purpose, _questions(visit, folder)) for folder, purpose in FOLDERS.items()]
    return visit.page("queries.html", title="Query book", books=books)


@router.get("/query")
def show_query(visit: Here, name: str) -> HTMLResponse:
    """Show one question; in the sandbox its result, too."""
    folder, _, file = name.partition("/")
    found = [item for item in _questions(visit, folder) if item.name == name] if folder in FOLDERS else []
    if not found:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"There is no question {file}.")
    asked, trouble = _ask(visit, found[0])
    values = {"question": found[0], "asked": asked, "trouble": trouble, "given": _values(visit, found[0].needs)}
    return visit.page("query.html", title=found[0].name, **values)


def _ask(visit: Visit, question: Question) -> tuple[Asked | None, str]:
    """Ask in the sandbox only: a real Athena bills by the byte, and its own console is the place for that."""
    if not visit.reader.is_simulated:
        return None, ""
    try:
        return visit.reader.ask(question.statement), ""
    except EntraLakeError as error:
        return None, f"{error.code}: {error.message}"


def _questions(visit: Visit, folder: str) -> list[Question]:
    if folder == "views":
        return [_view_question(visit, view) for view in read_views() if view.is_for(visit.lake.streams)]
    if folder == "detections":
        return [_rule_question(visit, rule) for rule in read_rules(visit.lake).detections]
    paths = sorted((include_folder() / "sql" / folder).glob("*.sql"))
    return [_question(visit, folder, path) for path in paths]


def _view_question(visit: Visit, view: View) -> Question:
    days = f"dt BETWEEN {quote(visit.period.first)} AND {quote(visit.period.last)}"
    statement = f'SELECT * FROM "{visit.lake.database}".{view.name}\nWHERE {days}\nORDER BY dt DESC\nLIMIT 100'  # noqa: S608 - names and days are ours # nosec B608
    return Question(f"views/{view.name}", view.description, (), statement)


def _rule_question(visit: Visit, rule: Detection) -> Question:
    try:
        statement = rule.render(visit.period.last, visit.lake.detections)
    except EntraLakeError as error:
        statement = f"-- {error.code}: {error.message}"
    return Question(f"detections/{rule.id}", f"{rule.title}. {rule.why}", (), statement)


def _question(visit: Visit, folder: str, path: Path) -> Question:
    text = path.read_text()
    needs = tuple(name for name in FILTERS if name in placeholders(text) and f"{name} is defined" not in text)
    name = f"{folder}/{path.stem}"
    values = {**_names(visit), **_values(visit, needs)}
    return Question(name, _purpose(text), needs, render(f"{name}.sql", **values))


def _names(visit: Visit) -> dict[str, Any]:
    stream = visit.reader.lake.streams[0]
    period = visit.period
    return {
        "database": visit.lake.database,
        "table": stream.history_table,
        "view": stream.name,
        "day": period.last,
        "first_day": period.first,
        "last_day": period.last,
    }


def _values(visit: Visit, needs: tuple[str, ...]) -> Mapping[str, str]:
    """Return a value for each filter that the question needs: the address's own, or an example."""
    given = visit.request.query_params
    return {name: given.get(name) or _NEEDED[name] for name in needs}


def _purpose(text: str) -> str:
    found = _COMMENT.match(text)
    lines = found[0].splitlines() if found else []
    return " ".join(line.removeprefix("--").strip() for line in lines)
