"""What Trino refuses and DuckDB or sqlglot would let pass: grammar, names, functions and strict types.

The sandbox's Athena asks before it runs a query, and the tests ask for every SQL file. A problem is a text in
Trino's own words: "TYPE_MISMATCH: Cannot apply operator: bigint = varchar(1)".
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from functools import lru_cache

import sqlglot
from antlr4 import CommonTokenStream, InputStream, PredictionMode
from antlr4.error.Errors import ParseCancellationException
from antlr4.error.ErrorStrategy import BailErrorStrategy
from sqlglot import Dialect, exp
from sqlglot.errors import OptimizeError, ParseError
from sqlglot.optimizer.annotate_types import TypeAnnotator, annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.resolver import Resolver
from sqlglot.optimizer.scope import traverse_scope
from sqlglot.schema import MappingSchema
from trino_query_parser import TrinoSyntaxError, parse_statement
from trino_query_parser.SqlBaseLexer import SqlBaseLexer
from trino_query_parser.SqlBaseParser import SqlBaseParser
from trino_sql_validator import validate

from sandbox.aws.trees import copy_tree

DIALECT = "athena"
# The grammar's automaton is shared by all parsers of the process, and is not safe to build in two threads at once.
_grammar = threading.Lock()
Type = exp.DataType.Type
FAMILIES = {
    **dict.fromkeys(
        (Type.TINYINT, Type.SMALLINT, Type.INT, Type.BIGINT, Type.DOUBLE, Type.FLOAT, Type.DECIMAL), "number"
    ),
    **dict.fromkeys((Type.VARCHAR, Type.CHAR, Type.TEXT), "varchar"),
    **dict.fromkeys((Type.DATE, Type.TIMESTAMP, Type.TIMESTAMPTZ, Type.TIMESTAMPLTZ), "time"),
    Type.BOOLEAN: "boolean",
    Type.ARRAY: "array",
    Type.MAP: "map",
    Type.JSON: "json",
    Type.VARBINARY: "varbinary",
}
NAMES = {
    Type.INT: "integer",
    Type.TEXT: "varchar",
    Type.TIMESTAMP: "timestamp(3)",
    Type.TIMESTAMPTZ: "timestamp(3) with time zone",
}
NEVER = {"listagg", "if", "filter"}  # grammar or functions that the catalogue of functions does not hold


# What sqlglot does not know about the types of Trino's functions.
RETURNS = {
    Type.VARCHAR: ("to_iso8601", "format_datetime", "url_extract_host", "url_extract_path", "url_extract_query",
                   "url_extract_parameter", "url_extract_protocol"),
    Type.BOOLEAN: ("any_match", "all_match", "none_match", "arrays_overlap", "every", "is_json_scalar"),
    Type.BIGINT: ("json_size", "json_array_length", "width_bucket"),
    Type.DOUBLE: ("great_circle_distance",),
    Type.MAP: ("map_agg", "histogram"),
}  # fmt: skip
_KINDS = {name: kind for kind, names in RETURNS.items() for name in names}


def _annotate_anonymous(annotator: TypeAnnotator, node: exp.Anonymous) -> exp.Anonymous:
    return annotator._set_type(node, _KINDS.get(node.name.lower(), Type.UNKNOWN))  # noqa: SLF001


_METADATA = {
    **Dialect.get_or_raise(DIALECT).EXPRESSION_METADATA,
    exp.Anonymous: {"annotator": _annotate_anonymous},
    exp.FromISO8601Timestamp: {"returns": Type.TIMESTAMPTZ},
    exp.ParseDatetime: {"returns": Type.TIMESTAMPTZ},
    exp.CurrentTimestamp: {"returns": Type.TIMESTAMPTZ},
    exp.AtTimeZone: {"returns": Type.TIMESTAMPTZ},
}


class LintError(Exception):
    """A statement that Trino would refuse; the text begins with Trino's error code."""


def parse(sql: str) -> exp.Expression:
    """Parse a statement of Trino's grammar; refuse what only other dialects know."""
    return copy_tree(_parse(sql))


@lru_cache(maxsize=512)
def _parse(sql: str) -> exp.Expression:
    check_grammar(sql)
    try:
        tree = sqlglot.parse_one(sql, read=DIALECT)
    except ParseError as error:
        message = f"SYNTAX_ERROR: {str(error).splitlines()[0]}"
        raise LintError(message) from error
    if tree.find(exp.MatchRecognize):
        message = "NOT_SUPPORTED: MATCH_RECOGNIZE is not used here: no other engine can check it"
        raise LintError(message)
    return tree


def check_grammar(sql: str) -> None:
    """Refuse text that Trino's own grammar does not accept."""
    try:
        with _grammar:
            if not _is_simple(sql):
                parse_statement(sql)
    except TrinoSyntaxError as error:
        message = re.sub(r" expecting \{.*\}", "", error.msg, flags=re.DOTALL)
        message = f"SYNTAX_ERROR: line {error.line}:{error.column + 1}: {message}"
        raise LintError(message) from error
    if "`" in re.sub(r"'(?:[^']|'')*'", "", sql):
        message = "SYNTAX_ERROR: backquoted identifiers are not supported; use double quotes to quote identifiers"
        raise LintError(message)


def _is_simple(sql: str) -> bool:
    """Tell whether the grammar accepts a text without looking at context: quicker, and right where it says yes."""
    parser = SqlBaseParser(CommonTokenStream(SqlBaseLexer(InputStream(sql.upper()))))
    parser._interp.predictionMode = PredictionMode.SLL  # noqa: SLF001 - ANTLR gives no public way
    parser._errHandler = BailErrorStrategy()  # noqa: SLF001
    parser.removeErrorListeners()
    parser.buildParseTrees = False
    try:
        parser.singleStatement()
    except ParseCancellationException:
        return False
    return True


def check_functions(sql: str) -> None:
    """Refuse functions that Trino does not have."""
    unknown = [name for name in validate(sql, function_arguments="off").unknown_functions if name.lower() not in NEVER]
    if unknown:
        message = f"FUNCTION_NOT_FOUND: line 1:1: Function '{unknown[0].lower()}' not registered"
        raise LintError(message)


def resolve(tree: exp.Expression, schema: MappingSchema, database: str) -> exp.Expression:
    """Resolve every column to its table, expand stars and annotate types; refuse names that do not exist."""
    try:
        tree = qualify(
            tree, schema=schema, dialect=DIALECT, db=database, expand_alias_refs=False, quote_identifiers=False,
        )  # fmt: skip
    except OptimizeError as error:
        raise LintError(_name_problem(str(error))) from error
    _resolve_having(tree, schema)
    return annotate_types(tree, schema=schema, dialect=DIALECT, expression_metadata=_METADATA)


def _resolve_having(tree: exp.Expression, schema: MappingSchema) -> None:
    """Resolve what sqlglot leaves open in HAVING, where it takes an alias for a name; Trino does not."""
    for scope in traverse_scope(tree):
        having = scope.expression.args.get("having")
        for column in list(having.find_all(exp.Column)) if having else []:
            if column.table or column.find_ancestor(exp.Select) is not scope.expression:
                continue
            table = Resolver(scope, schema).get_table(column)
            if table is None:
                message = f"COLUMN_NOT_FOUND: Column '{column.name}' cannot be resolved"
                raise LintError(message)
            column.set("table", table.copy())


def type_problems(tree: exp.Expression) -> list[str]:
    """Return the places where Trino would not coerce types, in a tree that `resolve` returned."""
    return [problem for node in tree.walk() for problem in CHECKS.get(type(node), _none)(node)]


def family(node: exp.Expression | None) -> str | None:
    """Return the family of a node's type within which Trino coerces, or None when it is not known."""
    if node is None or node.type is None or isinstance(node, exp.Null):
        return None
    return FAMILIES.get(node.type.this)


def _comparison(node: exp.Binary) -> Iterator[str]:
    yield from _mismatch(node.this, node.expression, _symbol(node))


def _between(node: exp.Between) -> Iterator[str]:
    for bound in (node.args["low"], node.args["high"]):
        yield from _mismatch(node.this, bound, "BETWEEN")


def _in_list(node: exp.In) -> Iterator[str]:
    for value in node.expressions:
        yield from _mismatch(node.this, value, "IN")


def _coalesce(node: exp.Coalesce) -> Iterator[str]:
    yield from _same("COALESCE", [node.this, *node.expressions])


def _if(node: exp.If) -> Iterator[str]:
    if not isinstance(node.parent, exp.Case):
        yield from _same("IF", [node.args.get("true"), node.args.get("false")])


def _case(node: exp.Case) -> Iterator[str]:
    yield from _same("CASE", [*(branch.args["true"] for branch in node.args["ifs"]), node.args.get("default")])


def _like(node: exp.Like) -> Iterator[str]:
    if family(node.this) not in {None, "varchar"}:
        yield f"TYPE_MISMATCH: Left side of LIKE expression must evaluate to a varchar (actual: {_name(node.this)})"


def _text_function(node: exp.Func) -> Iterator[str]:
    if family(node.this) not in {None, "varchar"}:
        yield f"FUNCTION_NOT_FOUND: Unexpected parameters ({_name(node.this)}) for function {node.key}"


def _group(node: exp.Group) -> Iterator[str]:
    if node.args.get("all"):
        yield "SYNTAX_ERROR: mismatched input 'ALL'"


def _condition(node: exp.Expression) -> Iterator[str]:
    if family(node.this) not in {None, "boolean"}:
        yield f"TYPE_MISMATCH: {node.key.upper()} clause must evaluate to a boolean: actual type {_name(node.this)}"


def _mismatch(left: exp.Expression, right: exp.Expression, operator: str) -> Iterator[str]:
    a, b = family(left), family(right)
    if a and b and a != b:
        yield f"TYPE_MISMATCH: Cannot apply operator: {_name(left)} {operator} {_name(right)}"


def _concatenation(node: exp.DPipe) -> Iterator[str]:
    for side in (node.this, node.expression):
        if family(side) not in (None, "varchar", "array", "varbinary"):
            yield f"TYPE_MISMATCH: Cannot apply operator: {_name(node.this)} || {_name(node.expression)}"
            return


def _arithmetic(node: exp.Binary) -> Iterator[str]:
    if isinstance(node.this, exp.Interval) or isinstance(node.expression, exp.Interval):
        return
    families = {family(node.this), family(node.expression)}
    if families & {"varchar", "boolean"} and None not in families:
        yield f"TYPE_MISMATCH: Cannot apply operator: {_name(node.this)} {_symbol(node)} {_name(node.expression)}"


def _same(what: str, nodes: list[exp.Expression | None]) -> Iterator[str]:
    known = [node for node in nodes if family(node)]
    for node in known[1:]:
        if family(node) != family(known[0]):
            yield f"TYPE_MISMATCH: All {what} operands must be the same type: {_name(known[0])}, {_name(node)}"
            return


def _set_operation(node: exp.SetOperation) -> Iterator[str]:
    left, right = node.left.selects, node.right.selects
    if len(left) != len(right):
        yield f"SYNTAX_ERROR: {node.key.upper()} query has different number of fields: {len(left)}, {len(right)}"
        return
    for place, (a, b) in enumerate(zip(left, right, strict=True), 1):
        if family(a) and family(b) and family(a) != family(b):
            kinds = f"{_name(a)}, {_name(b)}"
            yield f"TYPE_MISMATCH: column {place} in {node.key.upper()} query has incompatible types: {kinds}"


def _rows(node: exp.Unnest) -> Iterator[str]:
    for array in node.expressions:
        inner = array.type.expressions[0] if array.type is not None and array.type.expressions else None
        if inner is not None and array.type.is_type(Type.ARRAY) and inner.is_type(Type.STRUCT):
            yield "NOT_SUPPORTED: UNNEST of array(row) gives other columns in Athena than in Trino; use array(json)"


def _symbol(node: exp.Expression) -> str:
    symbols = {exp.EQ: "=", exp.NEQ: "<>", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<=",
               exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}  # fmt: skip
    return symbols[type(node)]


def _name(node: exp.Expression) -> str:
    if isinstance(node, exp.Literal) and node.is_string:
        return f"varchar({len(node.this)})"
    kind = node.type.this if node.type is not None else Type.UNKNOWN
    return NAMES.get(kind, kind.value.lower())


def _name_problem(message: str) -> str:
    place = re.search(r"Line: (\d+), Col: (\d+)", message)
    column = re.search(r"Column '\"?([^'\"]+)\"?' could not be resolved|Unknown column: (\S+)", message)
    name = (column.group(1) or column.group(2)).rstrip(".") if column else ""
    # sqlglot gives the place of a name's last character, Trino that of its first.
    line = f"line {place.group(1)}:{max(1, int(place.group(2)) - len(name) + 1)}: " if place else ""
    if column:
        return f"COLUMN_NOT_FOUND: {line}Column '{name}' cannot be resolved"
    return f"SYNTAX_ERROR: {line}{message.splitlines()[0]}"


def _none(_: exp.Expression) -> Iterator[str]:
    return iter(())


CHECKS: dict[type[exp.Expression], Callable[..., Iterator[str]]] = {
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE), _comparison),
    **dict.fromkeys((exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod), _arithmetic),
    **dict.fromkeys((exp.Union, exp.Intersect, exp.Except), _set_operation),
    **dict.fromkeys((exp.Lower, exp.Upper, exp.Trim), _text_function),
    **dict.fromkeys((exp.Where, exp.Having), _condition),
    exp.Between: _between,
    exp.In: _in_list,
    exp.DPipe: _concatenation,
    exp.Coalesce: _coalesce,
    exp.If: _if,
    exp.Case: _case,
    exp.Like: _like,
    exp.Group: _group,
    exp.Unnest: _rows,
}
