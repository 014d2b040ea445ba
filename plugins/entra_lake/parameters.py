"""Parameters of detections: what a rule lets an operator choose, and how a value is written into SQL.

Log fields are written by attackers and settings by operators; neither becomes SQL. A value is of one of three types, is
checked against its bounds, and is written as a literal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from entra_lake.errors import ConfigurationError
from entra_lake.sql import quote

#: integer: a whole number; number: any number; texts: a list of texts, compared in lower case.
TYPES = ("integer", "number", "texts")
#: Athena takes 262,144 bytes of SQL.
_MOST_TEXTS = 500
_LONGEST_TEXT = 256
_LARGEST = 1_000_000_000
_FIELDS = ("type", "default", "description", "minimum", "maximum")

Value = int | float | tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a rule.

    :param type: `integer`, `number` or `texts`.
    :param minimum: the smallest number that makes sense.
    """

    name: str
    type: str
    default: Value
    description: str
    minimum: float = 0
    maximum: float = _LARGEST

    def check(self, value: object, where: str) -> Value:
        """Return the value in the parameter's type.

        :param where: names file and field in the error.
        :raises ConfigurationError: when it is of another type, out of bounds, or not safe to write.
        """
        if self.type == "texts":
            return self._texts(value, where)
        is_number = isinstance(value, int | float if self.type == "number" else int) and not isinstance(value, bool)
        if not is_number or not self.minimum <= value <= self.maximum:  # type: ignore[operator]
            kind = "a number" if self.type == "number" else "a whole number"
            message = f"{where} is {value!r}; expected {kind} from {self.minimum:g} to {self.maximum:g}."
            raise ConfigurationError(message)
        return value  # type: ignore[return-value]

    def _texts(self, value: object, where: str) -> tuple[str, ...]:
        is_right = (
            isinstance(value, list | tuple)
            and len(value) <= _MOST_TEXTS
            and all(isinstance(text, str) and 0 < len(text) <= _LONGEST_TEXT for text in value)
        )
        if not is_right:
            message = (
                f"{where} is {value!r}; expected at most {_MOST_TEXTS} texts of at most {_LONGEST_TEXT} characters."
            )
            raise ConfigurationError(message)
        texts = tuple(text.strip().lower() for text in value)  # type: ignore[attr-defined]
        for text in texts:
            _quote(text, where)
        return texts


def parse_parameter(name: str, facts: object, where: str) -> Parameter:
    """Return a parameter as a rule's front matter declares it.

    :raises ConfigurationError: naming file and field.
    """
    where = f"{where}: parameters, {name}"
    if (
        not isinstance(facts, Mapping)
        or set(facts) - set(_FIELDS)
        or not {"type", "default", "description"} <= set(facts)
    ):
        message = f"{where}: expected type, default and description, and perhaps minimum and maximum; got {facts!r}."
        raise ConfigurationError(message)
    if facts["type"] not in TYPES or not isinstance(facts["description"], str):
        message = f"{where}: type is {facts['type']!r}; expected one of {', '.join(TYPES)}, with a text as description."
        raise ConfigurationError(message)
    bounds = {name: facts[name] for name in ("minimum", "maximum") if name in facts}
    if not all(isinstance(bound, int | float) for bound in bounds.values()):
        message = f"{where}: minimum and maximum are numbers, not {bounds!r}."
        raise ConfigurationError(message)
    declared = Parameter(name=name, type=facts["type"], default=0, description=facts["description"], **bounds)
    default = declared.check(facts["default"], f"{where}: default")
    return Parameter(name=name, type=declared.type, default=default, description=declared.description, **bounds)


def literal(value: Value) -> str:
    """Return a checked value as SQL: `10`, `CAST(1.5 AS double)`, `ARRAY['a', 'b']`."""
    if isinstance(value, tuple):
        return f"ARRAY[{', '.join(map(quote, value))}]" if value else "CAST(ARRAY[] AS array(varchar))"
    return f"CAST({value!r} AS double)" if isinstance(value, float) else str(value)


def _quote(text: str, where: str) -> Any:  # noqa: ANN401 - only whether it can be quoted matters
    try:
        return quote(text)
    except ConfigurationError as error:
        message = f"{where}: {error.message}"
        raise ConfigurationError(message) from error
