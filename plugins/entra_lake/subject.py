"""The person whose records are to be erased, and how to tell that a record is theirs or speaks of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from typing import Any

from entra_lake.errors import ConfigurationError
from entra_lake.schema import Stream

#: A name stands alone where no letter of an address touches it. Text in JSON in text has escapes in front of it.
_BEFORE = r"(?:(?<![\w.%+-])|(?<=\\[nrtbf])|(?<=\\u[0-9a-f]{4}))"
_BEHIND = r"(?![\w-]|\.\w)"
#: What Microsoft writes where nobody is meant: it would be everybody's.
_NOBODY = frozenset({"00000000-0000-0000-0000-000000000000"})
_SHORTEST = 6


class Role(Enum):
    """What a person is to a record."""

    ACTOR = auto()  # did it, or tried to
    NAMED = auto()  # it was done to them, or it speaks of them
    NONE = auto()


@dataclass(frozen=True)
class Subject:
    """A person, as the ids and sign-in names that somebody has given.

    :param names: object id, user principal name; in lower case.
    """

    names: tuple[str, ...]

    @classmethod
    def of(cls, names: Iterator[str] | list[str] | tuple[str, ...]) -> Subject:
        """Return the subject of these names.

        :raises ConfigurationError: when one is so short, or so general, that it would be many people's.
        """
        plain = tuple(dict.fromkeys(name.strip().lower() for name in names))
        for name in plain:
            if len(name) < _SHORTEST or name in _NOBODY or not re.search(r"@|^[0-9a-f-]{36}$", name):
                message = f"{name!r} names nobody for certain. Give a user's object id, or their whole sign-in name."
                raise ConfigurationError(message)
        if not plain:
            message = "Nobody is named. Give a user's object id, or their whole sign-in name."
            raise ConfigurationError(message)
        return cls(plain)

    def role_in(self, record: Mapping[str, Any], stream: Stream) -> Role:
        """Return what the person is to a record of the stream."""
        if any(name.lower() in self.names for name in actors(record, stream)):
            return Role.ACTOR
        return Role.NAMED if any(self.is_named_in(text) for text in _texts(record)) else Role.NONE

    def is_named_in(self, text: str) -> bool:
        """Tell whether the text holds one of the names, as a whole."""
        return bool(self._pattern.search(text))

    def may_be_in(self, content: bytes) -> bool:
        """Tell whether JSON text may hold one of the names: a quick look, never wrong when it says no."""
        lower = content.lower()
        return b"\\u" in lower or any(name.encode() in lower for name in self.names)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        names = "|".join(map(re.escape, self.names))
        return re.compile(f"{_BEFORE}(?:{names}){_BEHIND}", re.IGNORECASE)


def actors(record: Mapping[str, Any], stream: Stream) -> list[str]:
    """Return the id and the sign-in name of who did what the record tells, as far as it names them."""
    found = [_value(record, path.split(".")) for path in stream.actor]
    return [name for name in found if isinstance(name, str) and name and name not in _NOBODY]


def _value(record: Any, keys: list[str]) -> Any:  # noqa: ANN401 - JSON
    for key in keys:
        record = record.get(key) if isinstance(record, Mapping) else None
    return record


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Yield every text in a value, names of members too."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, Mapping):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            waiting += item
