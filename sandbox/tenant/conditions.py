"""What a filter means: which properties it may name, which records meet it, and where in time they can lie."""

# ruff: noqa: EM101, EM102, TRY003 - the texts are Graph's
from __future__ import annotations

import json
import operator
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

from entra_lake.schema import Stream
from sandbox.tenant.filters import (
    OPERATORS,
    And,
    AnyOf,
    Comparison,
    FilterError,
    Function,
    Node,
    Not,
    Or,
    Time,
    invalid,
    parse,
)
from sandbox.tenant.versions import Seen

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {name: getattr(operator, name) for name in OPERATORS}
_SEARCH: dict[str, Callable[[str, str], bool]] = {
    "startswith": str.startswith,
    "endswith": str.endswith,
    "contains": str.__contains__,
}
#: Graph refuses these although they are properties.
_NOT_FILTERABLE = frozenset({"isInteractive"})
#: The provisioning log knows neither ge nor le.
_NARROW = {"auditLogs/provisioning": frozenset({"eq", "gt", "lt", "ne"})}


def check(node: Node, stream: Stream) -> None:
    """Refuse what Graph refuses: unknown properties, some known ones, quoted times.

    :raises FilterError: with Graph's own words.
    """
    known = {prefix for column in stream.columns for prefix in _prefixes(column.path)}
    if stream.extra_filter:
        known |= {leaf.path for leaf in leaves(parse(stream.extra_filter))}
    for leaf in leaves(node):
        if leaf.path not in known:
            raise invalid(f"Could not find a property named '{leaf.path}' on type 'microsoft.graph.{stream.name}'.")
        if leaf.path in _NOT_FILTERABLE:
            raise FilterError("Invalid filter clause")
        if isinstance(leaf, Comparison) and leaf.path == stream.time_field:
            _check_time(leaf, stream)


def _prefixes(path: str) -> list[str]:
    keys = path.replace("[]", "").split(".")
    return ["/".join(keys[:end]) for end in range(1, len(keys) + 1)]


def _check_time(leaf: Comparison, stream: Stream) -> None:
    if not isinstance(leaf.literal, Time):
        raise invalid("A binary operator with incompatible types was detected: 'Edm.DateTimeOffset' and 'Edm.String'.")
    if leaf.operator not in _NARROW.get(stream.path, OPERATORS):
        raise FilterError("Invalid filter clause")


def leaves(node: Node) -> list[Comparison | Function | AnyOf]:
    """Return all tests of record properties; the inside of `any` speaks of its own variable and is left out."""
    if isinstance(node, And | Or):
        return [leaf for part in node.parts for leaf in leaves(part)]
    return leaves(node.part) if isinstance(node, Not) else [node]


def without(node: Node | None, extra: str | None) -> Node | None:
    """Take the stream's own condition out of the filter: all of the stream's records meet it."""
    if node is None or extra is None:
        return node
    condition = parse(extra)
    if node == condition:
        return None
    if not isinstance(node, And) or condition not in node.parts:
        return node
    rest = tuple(part for part in node.parts if part != condition)
    return rest[0] if len(rest) == 1 else replace(node, parts=rest)


def bounds(node: Node | None, time_field: str) -> tuple[int | None, int | None]:
    """Return instants [first, last] outside of which no record can match; None is open."""
    if isinstance(node, And):
        sides = [bounds(part, time_field) for part in node.parts]
        return (
            max((first for first, _ in sides if first is not None), default=None),
            min((last for _, last in sides if last is not None), default=None),
        )
    if isinstance(node, Or):
        firsts, lasts = zip(*(bounds(part, time_field) for part in node.parts), strict=True)
        return (None if None in firsts else min(firsts), None if None in lasts else max(lasts))
    if isinstance(node, Comparison) and node.path == time_field:
        instant = node.literal.ticks
        return (
            instant if node.operator in ("eq", "ge", "gt") else None,
            instant if node.operator in ("eq", "le", "lt") else None,
        )
    return None, None


class Candidate:
    """A record under test; its JSON is read only if a filter asks for more than the time."""

    def __init__(self, seen: Seen, time_field: str) -> None:
        self._seen = seen
        self._time_field = time_field

    @cached_property
    def _record(self) -> Any:
        return json.loads(self._seen.body)

    def value(self, path: str) -> Any:
        """Return the property; None where it is absent."""
        if path == self._time_field:
            return self._seen.ticks
        return _dig(self._record, path)


def _dig(value: Any, path: str) -> Any:
    for key in filter(None, path.split("/")):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def matches(node: Node | None, value: Callable[[str], Any]) -> bool:  # noqa: PLR0911 - one per node
    """Tell whether a record, given as a function from path to value, meets the filter."""
    match node:
        case None:
            return True
        case And(parts):
            return all(matches(part, value) for part in parts)
        case Or(parts):
            return any(matches(part, value) for part in parts)
        case Not(part):
            return not matches(part, value)
        case AnyOf(path, variable, body):
            items = value(path)
            return isinstance(items, list) and any(matches(body, _item_value(variable, item)) for item in items)
        case Function(name, path, text):
            found = value(path)
            return isinstance(found, str) and _SEARCH[name](found, text)
        case Comparison(path, name, literal):
            return _compare(name, value(path), literal.ticks if isinstance(literal, Time) else literal)
    return False


def _item_value(variable: str, item: Any) -> Callable[[str], Any]:
    return lambda path: _dig(item, path.removeprefix(variable))


def _compare(name: str, left: Any, right: Any) -> bool:
    try:
        return _COMPARE[name](left, right)
    except TypeError:
        return False
