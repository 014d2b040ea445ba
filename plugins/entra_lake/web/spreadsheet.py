"""Tables as CSV that no spreadsheet takes for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from fastapi import Response

#: A cell that begins so is run by spreadsheets (https://owasp.org/www-community/attacks/CSV_Injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def csv_answer(name: str, columns: Sequence[str], rows: Iterable[Mapping[str, str | None]]) -> Response:
    """Return a table as a file to download; a cell that a spreadsheet would run begins with an apostrophe.

    :param name: the file's name, without its ending: letters, digits and dashes.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([safe_cell(column) for column in columns])
    writer.writerows([[safe_cell(row.get(column)) for column in columns] for row in rows])
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def safe_cell(value: str | None) -> str:
    """Return a cell's text; a number stays a number, what else begins like a formula does not stay one."""
    if not value:
        return ""
    begins_a_formula = value.lstrip(" \u00a0").startswith(_FORMULA) or value.startswith(_FORMULA)
    return f"'{value}" if begins_a_formula and not _is_number(value) else value


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return not value.startswith(("+", "\t", "\r", "\n"))
