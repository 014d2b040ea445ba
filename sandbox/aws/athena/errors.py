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


def failure(error: Exception) -> QueryFailedError:
    """Translate DuckDB's error into Athena's words."""
    text = str(error).splitlines()[0]
    if "ivision by zero" in text:
        return QueryFailedError("DIVISION_BY_ZERO: Division by zero")
    missing = re.search(r"(?:Scalar |Aggregate |Table )?Function with name (\S+) does not exist", text)
    if missing:
        return NotSimulatedError(f"the function {missing.group(1)}")
    if "Array subscript" in text or "array indices" in text or "Key not present" in text:
        return QueryFailedError(f"INVALID_FUNCTION_ARGUMENT: {text.partition(': ')[2]}")
    if "Could not convert" in text or "Conversion Error" in text or "Could not parse" in text:
        return QueryFailedError(f"INVALID_CAST_ARGUMENT: {text.partition(': ')[2]}")
    if "Overflow" in text or "Out of Range" in text:
        return QueryFailedError(f"NUMERIC_VALUE_OUT_OF_RANGE: {text.partition(': ')[2]}")
    if "No files found" in text or "Cannot open file" in text:
        return QueryFailedError(f"HIVE_CANNOT_OPEN_SPLIT: Error opening Hive split: {text}")
    if "Binder Error" in text or "Parser Error" in text:
        return QueryFailedError(f"TYPE_MISMATCH: the sandbox's engine says: {text}")
    return QueryFailedError(f"GENERIC_INTERNAL_ERROR: {text}")
