"""Dates and times: complete units, milliseconds, patterns and zones as Trino has them."""

from __future__ import annotations

from sqlglot import exp

from sandbox.aws.athena.errors import NotSimulatedError
from sandbox.aws.athena.nodes import Type, call, has_type

JODA = [
    ("yyyy", "%Y"), ("YYYY", "%Y"), ("MMMM", "%B"), ("MMM", "%b"), ("MM", "%m"), ("dd", "%d"), ("HH", "%H"),
    ("hh", "%I"), ("mm", "%M"), ("ss", "%S"), ("SSS", "%g"), ("EEEE", "%A"), ("EEE", "%a"), ("E", "%a"), ("a", "%p"),
    ("yy", "%y"), ("xx", "%G"), ("ww", "%V"), ("DDD", "%j"), ("d", "%-d"), ("H", "%-H"), ("M", "%-m"), ("m", "%-M"),
    ("s", "%-S"), ("y", "%Y"),
]  # fmt: skip


def joda_to_strftime(pattern: str) -> str:
    """Translate a pattern of format_datetime; refuse what has no counterpart."""
    out, at = "", 0
    while at < len(pattern):
        if pattern[at] == "'":
            end = pattern.index("'", at + 1)
            out, at = out + (pattern[at + 1 : end] or "'"), end + 1
            continue
        found = next(((word, code) for word, code in JODA if pattern.startswith(word, at)), None)
        if found is None and pattern[at].isalpha():
            message = f"the date pattern '{pattern}'"
            raise NotSimulatedError(message)
        out += found[1] if found else pattern[at]
        at += len(found[0]) if found else 1
    return out


def refuse_moved_zone(*nodes: exp.Expression) -> None:
    """Refuse the local time of AT TIME ZONE, which has lost its zone, where it would be compared or printed."""
    if any(isinstance(node, exp.Anonymous) and node.name == "timezone" for node in nodes):
        message = "a value AT TIME ZONE that is compared or cast to varchar; format it with date_format"
        raise NotSimulatedError(message)


def date_diff(node: exp.DateDiff) -> exp.Expression:
    """Count complete units, as Trino does; DuckDB's date_diff counts boundaries."""
    return call("date_sub", exp.Literal.string(node.args["unit"].name.lower()), node.expression, node.this)


def keep_date(node: exp.Expression) -> exp.Expression | None:
    """Keep a date a date in date_trunc and date_add."""
    if not has_type(node.this, Type.DATE) or isinstance(node.parent, exp.Cast):
        return None
    return exp.cast(node.copy(), "DATE")


def date_and_interval(node: exp.Binary) -> exp.Expression | None:
    """Keep a date a date when an interval moves it."""
    interval = next((side for side in (node.this, node.expression) if isinstance(side, exp.Interval)), None)
    if interval is None or not (has_type(node.this, Type.DATE) or has_type(node.expression, Type.DATE)):
        return None
    return exp.cast(exp.paren(node.copy()), "DATE")


def at_time_zone(node: exp.AtTimeZone) -> exp.Expression:
    """Take a timestamp as UTC first; the result is the local time there, without its zone."""
    return call("timezone", node.args["zone"], exp.cast(node.this.copy(), "TIMESTAMPTZ"))


def parse_datetime(node: exp.ParseDatetime) -> exp.Expression:
    """Parse with a pattern of Joda."""
    pattern = joda_to_strftime(node.args["format"].name)
    return exp.cast(call("strptime", node.this, exp.Literal.string(pattern)), "TIMESTAMPTZ")


def time_to_text(node: exp.TimeToStr) -> exp.Expression:
    """Write MySQL's %v as DuckDB's %V."""
    pattern = node.args["format"].name.replace("%v", "%V")
    return call("strftime", node.this, exp.Literal.string(pattern))
