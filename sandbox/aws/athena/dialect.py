"""From Athena's SQL to DuckDB's: the places where sqlglot's translation runs but answers differently from Trino.

Works on a tree with types (trino_lint.resolve). Each rule names the difference it removes.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import ErrorLevel, exp
from sqlglot.expressions.builders import apply_index_offset

from sandbox.aws.athena.arithmetic import cast, divide
from sandbox.aws.athena.dates import (
    at_time_zone,
    date_and_interval,
    date_diff,
    joda_to_strftime,
    keep_date,
    parse_datetime,
    refuse_moved_zone,
    time_to_text,
)
from sandbox.aws.athena.errors import NotSimulatedError
from sandbox.aws.athena.nodes import Type, call, has_type
from sandbox.aws.trees import copy_tree

RENAMED = {
    "every": "bool_and", "codepoint": "unicode", "normalize": "nfc_normalize", "hamming_distance": "hamming",
    "arrays_overlap": "list_has_any", "year_of_week": "isoyear", "array_union": "t_array_union", "map_agg": "t_map_agg",
    "json_array_length": "t_json_length",
    "xxhash64": "t_xxhash64", "to_iso8601": "t_iso8601", "width_bucket": "t_width_bucket", "json_size": "t_json_size",
    "great_circle_distance": "t_great_circle_distance", "is_json_scalar": "t_is_json_scalar",
    "url_extract_protocol": "t_url_extract_protocol", "url_extract_host": "t_url_extract_host",
    "url_extract_path": "t_url_extract_path", "url_extract_query": "t_url_extract_query",
    "url_extract_parameter": "t_url_extract_parameter", "geometric_mean": "geomean",
}  # fmt: skip


def to_duckdb(tree: exp.Expression) -> str:
    """Return DuckDB's text of a typed tree; the time that it asks for is in the connection's variables."""
    tree = copy_tree(tree)
    _type_lambdas(tree)
    for node in reversed(list(tree.walk())):  # children before their parents
        if type(node) in CLOCK:
            variable, (_, kind) = CLOCK[type(node)]
            made: exp.Expression | None = exp.cast(call("getvariable", exp.Literal.string(variable)), kind)
        else:
            made = RULES[type(node)](node) if type(node) in RULES else None
        if made is not None:
            made.type = node.type
            tree = made if node is tree else (node.replace(made), tree)[1]
    return tree.sql("duckdb", unsupported_level=ErrorLevel.IGNORE)


def _type_lambdas(tree: exp.Expression) -> None:
    """Give the variable of a lambda the type of the array's elements."""
    for node in tree.find_all(exp.Lambda):
        array = node.parent.this if isinstance(node.parent.this, exp.Expression) else node.parent.expressions[0]
        if len(node.expressions) == 1 and has_type(array, Type.ARRAY) and array.type.expressions:
            for name in node.this.find_all(exp.Identifier):
                if name.name == node.expressions[0].name:
                    name.type = array.type.expressions[0]


#: Functions that ask for the time: DuckDB's variable that holds the answer, its form in UTC, and its type.
CLOCK = {
    exp.CurrentTimestamp: ("t_now", ("%Y-%m-%d %H:%M:%S.%f+00", "TIMESTAMPTZ")),
    exp.CurrentDate: ("t_today", ("%Y-%m-%d", "DATE")),
    exp.Localtimestamp: ("t_local", ("%Y-%m-%d %H:%M:%S.%f", "TIMESTAMP")),
}


def _refuse(what: str) -> Callable[[exp.Expression], exp.Expression]:
    def rule(_: exp.Expression) -> exp.Expression:
        raise NotSimulatedError(what)

    return rule


def _substring(node: exp.Substring) -> exp.Expression:
    """Return nothing for substr(x, 0, n)."""
    return call("t_substr", node.this, node.args["start"], node.args.get("length"))


def _json_path(node: exp.Expression) -> exp.Expression:
    path = (
        node.expression.sql("duckdb").strip("'").replace("''", "'")
        if isinstance(node.expression, exp.JSONPath)
        else None
    )
    if path is None:
        return node.expression
    if "*" in path or ".." in path:
        message = f"the JSON path {path}"
        raise NotSimulatedError(message)
    return exp.Literal.string(path)


def _json_scalar(node: exp.JSONExtractScalar) -> exp.Expression:
    """Return NULL for objects, arrays and text that is not JSON."""
    return call("t_json_scalar", node.this, _json_path(node))


def _json_extract(node: exp.JSONExtract) -> exp.Expression:
    """Return NULL for text that is not JSON."""
    return call("t_json", node.this, _json_path(node))


def _subscript(node: exp.Bracket) -> exp.Expression | None:
    """Fail for a[n] out of range and m['x'] absent; element_at does not."""
    if node.args.get("safe") or len(node.expressions) != 1:
        return None
    # sqlglot counts from 0 inside; the same shift that it would make when it writes DuckDB.
    index = apply_index_offset(node.this, node.expressions, 1 - (node.args.get("offset") or 0), dialect="duckdb")[0]
    is_map = has_type(node.this, Type.MAP) or (isinstance(index, exp.Literal) and index.is_string)
    return call("t_map_subscript" if is_map else "t_subscript", node.this, index)


def _cardinality(node: exp.Expression) -> exp.Expression:
    """Of an array or a map."""
    if has_type(node.this, Type.ARRAY):
        return call("len", node.this)
    return call("cardinality" if has_type(node.this, Type.MAP) else "t_cardinality", node.this)


def _approx_percentile(node: exp.ApproxQuantile) -> exp.Expression:
    """Exact, and a value of the column's own type."""
    if node.args.get("accuracy") or node.args.get("weight"):
        message = "approx_percentile with a weight or an accuracy"
        raise NotSimulatedError(message)
    return call("quantile_disc", node.this, node.args["quantile"])


def _arg(name: str) -> Callable[[exp.Expression], exp.Expression]:
    def rule(node: exp.Expression) -> exp.Expression:
        """min_by and max_by return NULL when the chosen row holds NULL."""
        count = node.args.get("count")
        return call(name if count else f"{name}_null", node.this, node.expression, count)

    return rule


def _slice(node: exp.ArraySlice) -> exp.Expression:
    """slice(array, start, length), not (start, end)."""
    start, length = node.args["start"], node.args["end"]
    last = exp.Sub(
        this=exp.Add(this=start.copy(), expression=exp.paren(length.copy())), expression=exp.Literal.number(1)
    )
    return call("array_slice", node.this, start, last)


def _regexp_extract(node: exp.RegexpExtract) -> exp.Expression:
    """Return NULL when nothing matches."""
    return call("t_regexp_extract", node.this, node.expression, node.args.get("group") or exp.Literal.number(0))


def _regexp_replace(node: exp.RegexpReplace) -> exp.Expression:
    r"""Write groups as \1; in Java they are $1."""
    replacement = node.args.get("replacement") or exp.Literal.string("")
    if isinstance(replacement, exp.Literal):
        replacement = exp.Literal.string(re.sub(r"\$(\d)", r"\\\1", replacement.this))
    return call("regexp_replace", node.this, node.expression, replacement, exp.Literal.string("g"))


def _reduce(node: exp.Reduce) -> exp.Expression:
    """Accept s -> s alone as the last function of reduce: the translation loses it."""
    finish = node.args.get("finish")
    if not (isinstance(finish, exp.Lambda) and isinstance(finish.this, exp.Identifier | exp.Column)):
        message = "reduce with an output function other than s -> s"
        raise NotSimulatedError(message)
    made = node.copy()
    made.set("finish", None)
    return made


def _anonymous(node: exp.Anonymous) -> exp.Expression | None:
    name = node.name.lower()
    arguments = node.expressions
    if name in RENAMED:
        return call(RENAMED[name], *arguments)
    if name in ("any_match", "all_match", "none_match"):
        return _match(name, *arguments)
    if name == "format_datetime":
        return call("strftime", arguments[0], exp.Literal.string(joda_to_strftime(arguments[1].name)))
    if name == "at_timezone":
        return call("timezone", arguments[1], exp.cast(arguments[0].copy(), "TIMESTAMPTZ"))
    if name == "with_timezone":
        return call("timezone", arguments[1], exp.cast(arguments[0].copy(), "TIMESTAMP"))
    return None


def _arguments(node: exp.Func) -> list[exp.Expression]:
    return [node.args[name] for name in node.arg_types if node.args.get(name) is not None]


def _match(name: str, array: exp.Expression, test: exp.Expression) -> exp.Expression:
    hits = call("len", call("list_filter", array, test))
    if name == "all_match":
        return exp.paren(exp.EQ(this=hits, expression=call("len", array)))
    return exp.paren((exp.GT if name == "any_match" else exp.EQ)(this=hits, expression=exp.Literal.number(0)))


RULES: dict[type[exp.Expression], Callable[..., exp.Expression | None]] = {
    exp.Div: divide,
    exp.Cast: cast,
    exp.TryCast: cast,
    exp.DateDiff: date_diff,
    exp.TimestampTrunc: keep_date,
    exp.DateTrunc: keep_date,
    exp.DateAdd: keep_date,
    exp.Add: date_and_interval,
    exp.Sub: date_and_interval,
    exp.Typeof: _refuse("the function typeof"),
    exp.Substring: _substring,
    exp.JSONExtractScalar: _json_scalar,
    exp.JSONExtract: _json_extract,
    exp.JSONArrayContains: lambda node: call("t_json_contains", node.this, node.expression),
    exp.Bracket: _subscript,
    exp.ArraySize: _cardinality,
    exp.ApproxDistinct: lambda node: exp.Count(this=exp.Distinct(expressions=[node.this.copy()])),
    exp.ApproxQuantile: _approx_percentile,
    exp.ArgMax: _arg("arg_max"),
    exp.ArgMin: _arg("arg_min"),
    exp.AtTimeZone: at_time_zone,
    exp.ArraySlice: _slice,
    exp.RegexpExtract: _regexp_extract,
    exp.RegexpReplace: _regexp_replace,
    exp.Reduce: _reduce,
    exp.ParseDatetime: parse_datetime,
    exp.TimeToStr: time_to_text,
    exp.Format: lambda node: call("printf", node.this, *node.expressions),
    exp.Anonymous: _anonymous,
    exp.WidthBucket: lambda node: call("t_width_bucket", *_arguments(node)),
    exp.Normalize: lambda node: call("nfc_normalize", node.this),
    **dict.fromkeys(
        (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE), lambda node: refuse_moved_zone(node.this, node.expression)
    ),
}
