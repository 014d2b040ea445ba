"""Front matter: what an SQL file says of itself, as YAML in the comment that it begins with.

/* ---
title: A user was created
streams: [directory_audits]
--- */
SELECT …
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

import yaml

from entra_lake.errors import ConfigurationError
from entra_lake.schema import NAME_PATTERN
from entra_lake.streams import STREAMS

#: The compiled one where it is there: it takes a tenth of the time, and all files are read at each start.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FORM = re.compile(r"\A/\* ---\n(?P<front>.*?)\n--- \*/\n(?P<body>.*)\Z", re.DOTALL)


@dataclass(frozen=True)
class SqlFile:
    """An SQL file with front matter.

    :param name: the file's name without `.sql`.
    :param facts: the front matter.
    :param body: the statement, with its placeholders.
    """

    path: Path
    facts: Mapping[str, Any]
    body: str

    @property
    def name(self) -> str:
        """Return the file's name without its ending."""
        return self.path.stem

    def refuse(self, field: str, expected: str) -> NoReturn:
        """Refuse a field, saying what is expected there.

        :raises ConfigurationError: naming file and field.
        """
        found = f"is {self.facts[field]!r}" if field in self.facts else "is missing"
        message = f"{self.path}: {field} {found}; expected {expected}."
        raise ConfigurationError(message)

    def require_fields(self, required: Sequence[str], optional: Sequence[str] = ()) -> None:
        """Make sure that all required fields are there, and none that nobody knows.

        :raises ConfigurationError: naming file and field.
        """
        for field in required:
            if field not in self.facts:
                self.refuse(field, "it in the front matter")
        if unknown := sorted(set(map(str, self.facts)) - {*required, *optional}):
            known = ", ".join([*required, *optional])
            message = f"{self.path}: unknown field {', '.join(unknown)}. Known are: {known}."
            raise ConfigurationError(message)

    def text(self, field: str, default: str | None = None) -> str:
        """Return a text that is not empty, its line breaks taken as blanks."""
        value = self.facts.get(field, default)
        if not isinstance(value, str) or not value.strip():
            self.refuse(field, "a text")
        return " ".join(value.split())

    def one_of(self, field: str, known: Sequence[str]) -> str:
        """Return a text that is one of these."""
        value = self.text(field)
        if value not in known:
            self.refuse(field, f"one of {', '.join(known)}")
        return value

    def texts(self, field: str) -> tuple[str, ...]:
        """Return a list of texts; an empty one where the field is missing."""
        value = self.facts.get(field, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
            self.refuse(field, "a list of texts")
        return tuple(" ".join(item.split()) for item in value)

    def whole(self, field: str, default: int, most: int) -> int:
        """Return a whole number from 0 to `most`."""
        value = self.facts.get(field, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
            self.refuse(field, f"a whole number from 0 to {most}")
        return value

    def streams(self, field: str) -> tuple[str, ...]:
        """Return names of streams that exist; an empty tuple where the field is missing."""
        names = self.texts(field)
        if not set(names) <= set(STREAMS):
            self.refuse(field, f"some of {', '.join(STREAMS)}")
        return names


def read_sql_files(folder: Path) -> list[SqlFile]:
    """Return all files `*.sql` of a folder, by name.

    :raises ConfigurationError: when the folder or one of its files cannot be read, naming it.
    """
    if not folder.is_dir():
        message = f"{folder} is no folder. It should hold SQL files with front matter."
        raise ConfigurationError(message)
    return [read_sql_file(path) for path in sorted(folder.glob("*.sql"))]


def read_sql_file(path: Path) -> SqlFile:
    """Return one file, its front matter read.

    :raises ConfigurationError: naming the file and what is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path} cannot be read ({error})."
        raise ConfigurationError(message) from error
    return _parsed(path, text)


@lru_cache(maxsize=512)
def _parsed(path: Path, text: str) -> SqlFile:
    """Return the file of this text; pages ask for the same few files again and again, and YAML is slow."""
    if not NAME_PATTERN.fullmatch(path.stem):
        message = f"{path}: name the file in lower-case letters, digits and _, a letter first."
        raise ConfigurationError(message)
    form = _FORM.match(text.replace("\r\n", "\n"))
    if form is None:
        message = f"{path} has no front matter. Begin it with a line `/* ---`, then YAML, then a line `--- */`."
        raise ConfigurationError(message)
    return SqlFile(path, _facts(form["front"], path), form["body"])


def _facts(front: str, path: Path) -> Mapping[str, Any]:
    try:
        facts = yaml.load(front, _LOADER)  # noqa: S506 - a safe loader # nosec B506
    except yaml.YAMLError as error:
        message = f"{path}: the front matter is no YAML ({' '.join(str(error).split())})."
        raise ConfigurationError(message) from error
    if not isinstance(facts, dict):
        message = f"{path}: the front matter should be a mapping of fields, such as `title: …`."
        raise ConfigurationError(message)
    return facts
