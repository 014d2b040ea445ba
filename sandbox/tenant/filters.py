"""OData filters as Graph's audit logs understand them, read into a tree.

expression := term ('or' term)*          term := factor ('and' factor)*
factor     := 'not' factor | '(' expression ')' | path/any(x: expression) | function(path,'text') | path op literal
"""

# ruff: noqa: EM102, TRY003 - the texts are Graph's
from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from sandbox import ticks

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>'(?:[^']|'')*')
    |(?P<time>\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?(?![\w-]))
    |(?P<number>-?\d+(?:\.\d+)?(?![\w-]))
    |(?P<word>[A-Za-z_@][\w.@]*(?:/[A-Za-z_][\w.]*)*)
    |(?P<mark>[(),:]))""",
    re.VERBOSE | re.IGNORECASE,
)
OPERATORS = frozenset({"eq", "ne", "ge", "gt", "le", "lt"})
FUNCTIONS = frozenset({"startswith", "endswith", "contains"})
_LITERALS = {"true": True, "false": False, "null": None}


class FilterError(ValueError):
    """The filter is none that Graph accepts; the text is Graph's."""


@dataclass(frozen=True)
class Time:
    """A time literal."""

    ticks: int


@dataclass(frozen=True)
class Comparison:
    """`status/errorCode eq 0`."""

    path: str
    operator: str
    literal: Any


@dataclass(frozen=True)
class Function:
    """`startswith(ipAddress,'192.')`."""

    name: str
    path: str
    text: str


@dataclass(frozen=True)
class AnyOf:
    """`targetResources/any(t: …)`."""

    path: str
    variable: str
    body: Node


@dataclass(frozen=True)
class Not:
    """The opposite of its part."""

    part: Node


@dataclass(frozen=True)
class And:
    """All of its parts."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Or:
    """At least one of its parts."""

    parts: tuple[Node, ...]


Node = Comparison | Function | AnyOf | Not | And | Or


def parse(text: str) -> Node:
    """Read a filter.

    :raises FilterError: with Graph's own words.
    """
    parser = _Parser(text)
    node = parser.expression()
    parser.expect_end()
    return node


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str, int]] = []
        self._next = 0
        position = 0
        while text[position:].strip():
            match = _TOKEN.match(text, position)
            if match is None:
                raise invalid(f"Syntax error at position {position} in '{text}'.")
            kind = str(match.lastgroup)
            self._tokens.append((kind, match[kind], match.start(kind)))
            position = match.end()

    def expression(self) -> Node:
        """Read up to where no `or` follows."""
        parts = [self._term()]
        while self._take("word", "or"):
            parts.append(self._term())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _term(self) -> Node:
        parts = [self._factor()]
        while self._take("word", "and"):
            parts.append(self._factor())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _factor(self) -> Node:
        if self._take("word", "not"):
            return Not(self._factor())
        if self._take("mark", "("):
            node = self.expression()
            self._demand("mark", ")")
            return node
        word = self._demand("word")
        if not self._take("mark", "("):
            return self._comparison(word)
        if word.lower() in FUNCTIONS:
            return self._function(word.lower())
        if word.lower().endswith("/any"):
            return self._any(word[: -len("/any")])
        raise invalid(f"An unknown function with name '{word}' was found.")

    def _comparison(self, path: str) -> Node:
        operator = self._demand("word").lower()
        if operator not in OPERATORS:
            raise invalid(f"Syntax error at position {self._position()} in '{self._text}'.")
        return Comparison(path, operator, self._literal())

    def _function(self, name: str) -> Node:
        path = self._demand("word")
        self._demand("mark", ",")
        text = self._literal()
        self._demand("mark", ")")
        return Function(name, path, str(text))

    def _any(self, path: str) -> Node:
        variable = self._demand("word")
        self._demand("mark", ":")
        body = self.expression()
        self._demand("mark", ")")
        return AnyOf(path, variable, body)

    def _literal(self) -> Any:
        kind, text, _ = self._tokens[self._next] if self._next < len(self._tokens) else ("end", "", 0)
        self._next += 1
        if kind == "string":
            return text[1:-1].replace("''", "'")
        if kind == "number":
            return json.loads(text)
        if kind == "time":
            return _time(text)
        if kind == "word" and text.lower() in _LITERALS:
            return _LITERALS[text.lower()]
        self._next -= 1
        raise invalid(f"Expression expected at position {self._position()} in '{self._text}'.")

    def _take(self, kind: str, text: str) -> bool:
        if self._next < len(self._tokens):
            found_kind, found, _ = self._tokens[self._next]
            if found_kind == kind and found.lower() == text:
                self._next += 1
                return True
        return False

    def _demand(self, kind: str, text: str | None = None) -> str:
        if self._next < len(self._tokens):
            found_kind, found, _ = self._tokens[self._next]
            if found_kind == kind and text in (None, found):
                self._next += 1
                return found
        wanted = "An identifier was expected" if kind == "word" else f"'{text}' expected"
        raise invalid(f"{wanted} at position {self._position()}.")

    def _position(self) -> int:
        return self._tokens[self._next][2] if self._next < len(self._tokens) else len(self._text)

    def expect_end(self) -> None:
        """Refuse what stands behind the filter."""
        if self._next < len(self._tokens):
            raise invalid(f"Syntax error at position {self._position()} in '{self._text}'.")


def _time(text: str) -> Time:
    try:
        return Time(ticks.parse(text))
    except ValueError:
        raise invalid(f"Unrecognized 'Edm.DateTimeOffset' literal '{text}'.") from None


def invalid(detail: str) -> FilterError:
    """Return the refusal in Graph's words."""
    return FilterError(f"Invalid filter clause: {detail}")
