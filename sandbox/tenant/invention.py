"""Records for streams that nobody wrote by hand: every member is invented from its column."""

# ruff: noqa: PLR2004 - the shares of a made-up day
from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from entra_lake.schema import Column, Stream, Type
from sandbox.tenant.people import Cast, Json, guid

_Inventor = Callable[[Random, Cast, Column], Any]


class InventedMaker:
    """Make records of any stream from its columns' types, names and documented values."""

    def __init__(self, stream: Stream, cast: Cast, random: Random) -> None:
        self._stream = stream
        self._cast = cast
        self._random = random

    def make(self, instant: str) -> Json:
        """Return a record of this instant."""
        record: Json = {}
        for column in self._stream.stored_columns:
            if column.optional and self._random.random() < 0.5:
                continue
            _put(record, column.keys, self._value(column, instant))
        return record

    def _value(self, column: Column, instant: str) -> Any:
        if column.path == self._stream.time_field:
            return instant
        if column.path == "id":
            return guid(self._random)
        if self._random.random() < 0.1:
            return None
        if column.values:
            return self._random.choice([value for value in column.values if value != "unknownFutureValue"])
        return _INVENTORS[column.type](self._random, self._cast, column)


def _put(record: Json, keys: tuple[str, ...], value: Any) -> None:
    for key in keys[:-1]:
        inner = record.setdefault(key, {})
        if not isinstance(inner, dict):
            return
        record = inner
    record[keys[-1]] = value


def _text(random: Random, cast: Cast, column: Column) -> str:  # noqa: PLR0911 - a table in words
    name = column.keys[-1].lower()
    person = random.choice(cast.people)
    if name.endswith("datetime"):
        return f"2026-01-{random.randrange(1, 29):02d}T{random.randrange(24):02d}:00:00Z"
    if name.endswith("tenantid"):
        return cast.tenant_id
    if name == "userid":
        return person.id
    if name.endswith("id"):
        return guid(random)
    if "principalname" in name:
        return person.upn
    if "ipaddress" in name:
        return f"192.0.2.{random.randrange(1, 250)}"
    return person.name if "user" in name else f"{column.keys[-1]} {random.randrange(5)}"


def _collection(random: Random, _cast: Cast, column: Column) -> list[Any]:
    name = column.keys[-1]
    return [
        {"key": f"{name}{number}", "value": random.choice(("", "true", "[]"))} for number in range(random.randrange(3))
    ]


_INVENTORS: dict[Type, _Inventor] = {
    Type.STRING: _text,
    Type.TIMESTAMP: _text,
    Type.INT: lambda random, _cast, _column: random.randrange(1000),
    Type.DOUBLE: lambda random, _cast, _column: round(random.uniform(-90, 90), 5),
    Type.BOOLEAN: lambda random, _cast, _column: random.random() < 0.5,
    Type.JSON: _collection,
}
