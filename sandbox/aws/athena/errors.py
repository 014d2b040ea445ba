"""How a query fails: the reason is what GetQueryExecution says in StateChangeReason."""

from __future__ import annotations

import re


class QueryFailedError(Exception):
    """A query ended FAILED; the text is its reason."""


class NotSimulatedError(QueryFailedError):
    """The sandbox does not know a construct that Athena may know: better no answer than a wrong one."""

    def __init__(self, what: str) -> None:
        """Name the construct."""
        super().__init__(f"NOT_SUPPORTED: the sandbox's Athena does not know {what} (the real one may)")


# What DuckDB says, and Athena's code for it; the first that fits.
CODES = (
    (r"Array subscript|array indices|Key not present", "INVALID_FUNCTION_ARGUMENT: {}"),
    (r"Could not convert|Conversion Error|Could not parse", "INVALID_CAST_ARGUMENT: {}"),
    (r"Overflow|Out of Range", "NUMERIC_VALUE_OUT_OF_RANGE: {}"),
    (r"No files found|Cannot open file", "HIVE_CANNOT_OPEN_SPLIT: Error opening Hive split: {}"),
    (r"Binder Error|Parser Error", "TYPE_MISMATCH: the sandbox's engine says: {}"),
    (r"INTERRUPT", "Query was cancelled by user"),
    (r"", "GENERIC_INTERNAL_ERROR: {}"),
)


def failure(error: Exception) -> QueryFailedError:
    """Translate DuckDB's error into Athena's words."""
    text = str(error).splitlines()[0]
    if "ivision by zero" in text:
        return QueryFailedError("DIVISION_BY_ZERO: Division by zero")
    missing = re.search(r"Function with name (\S+) does not exist", text)
    if missing:
        return NotSimulatedError(f"the function {missing.group(1)}")
    form = next(form for pattern, form in CODES if re.search(pattern, text))
    return QueryFailedError(form.format(text.partition(": ")[2] or text))
