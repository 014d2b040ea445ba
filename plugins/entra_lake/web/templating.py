"""Pages from templates: everything that came from a log is escaped, and shows what it hides.

Log fields are written by attackers. Jinja escapes HTML; what HTML does not mind (a right-to-left override that
turns a name around, control characters) is made visible here, for every value that a template prints.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from entra_lake.digest_letter import PAGES
from entra_lake.findings import key_of
from entra_lake.redaction import HIDDEN

PREFIX = PAGES
_KEPT = "\n\t\u200d\ufe0f"  # emoji are joined by these
_LONGEST = 2000
#: How Athena writes days and moments; nobody reads its milliseconds.
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d(?: \d\d:\d\d:\d\d)?)(?:\.\d+)?")
_WORDS = {"ip": "IP", "id": "ID"}


def page(request: Request, template: str, *, status_code: int = 200, **values: Any) -> HTMLResponse:  # noqa: ANN401
    """Return the page that this template makes of the values."""
    html = _ENVIRONMENT.get_template(template).render(
        request=request, prefix=PREFIX, here=request.url.path.rpartition("/")[2], **values
    )
    return HTMLResponse(html, status_code=status_code)


def visible(value: object) -> object:
    """Return the value as a page may print it: hidden characters of a text as their code points, long ones cut."""
    if value is None:
        return ""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    text = value if len(value) <= _LONGEST else value[:_LONGEST] + "…"
    if text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    is_hidden = unicodedata.category(character) in HIDDEN and character not in _KEPT
    return f"⟨U+{ord(character):04X}⟩" if is_hidden else character


def count(value: float | None) -> str:
    """Return a number with its thousands apart; a dash where there is none."""
    return "–" if value is None else f"{value:,.0f}".replace(",", "\u202f")


def size(value: float | None) -> str:
    """Return bytes as a person says them, in powers of 1,000 as Athena's bill."""
    if value is None:
        return "–"
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:  # noqa: PLR2004 - the next unit
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def duration(hours: float | None) -> str:
    """Return hours as days and hours."""
    if hours is None:
        return "–"
    days, rest = divmod(int(hours), 24)
    return f"{days} d {rest} h" if days else f"{rest} h"


def moment(value: datetime | str | None) -> str:
    """Return a moment to the minute, UTC."""
    if not value:
        return "–"
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{found.astimezone(UTC):%Y-%m-%d %H:%M}"


def weekday(value: date) -> str:
    """Return the day with its weekday."""
    return f"{value:%a} {value}"


def is_number_text(value: object) -> bool:
    """Tell whether a cell of an answer is a whole number."""
    return isinstance(value, str) and value.isascii() and value.isdigit()


def is_moment_text(value: object) -> bool:
    """Tell whether a cell of an answer is a day or a moment: such cells do not wrap."""
    return isinstance(value, str) and _MOMENT.fullmatch(value) is not None


def heading(column: str) -> str:
    """Return the name of an answer's column as the head of a table."""
    words = " ".join(_WORDS.get(word, word) for word in column.split("_"))
    return words[:1].upper() + words[1:]


def cell(value: str | None) -> str:
    """Return a cell of an answer as a person reads it: a dash for nothing, moments to the second, yes and no."""
    if not value:
        return "–"
    moment_found = _MOMENT.fullmatch(value)
    return moment_found[1] if moment_found else {"true": "yes", "false": "no"}.get(value, value)


def ticks(text: str) -> Markup:
    """Return a text whose words between backticks are code."""
    parts = str(visible(text)).split("`")
    marked = [
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part) for number, part in enumerate(parts)
    ]
    return Markup("").join(marked)


def query(**values: object) -> str:
    """Return the query string of an address; members without a value are left out."""
    return urlencode({name: str(value) for name, value in values.items() if value not in (None, "")})


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=visible,
    )
    environment.filters.update(count=count, size=size, duration=duration, moment=moment, weekday=weekday)
    environment.filters.update(heading=heading, cell=cell, ticks=ticks)
    environment.tests.update(number_text=is_number_text, moment_text=is_moment_text)
    environment.globals.update(query=query, finding_key=key_of)
    return environment


_ENVIRONMENT = _environment()
