"""SQL lives in `include/sql/*.sql`; here its few placeholders are filled, and checked before.

Athena takes parameters only in parts of a SELECT and never in DDL, so names and texts are written
into the statement: a name must match Athena's plain form, a text must be of harmless characters.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, TemplateError, UndefinedError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from entra_lake.errors import ConfigurationError
from entra_lake.schema import NAME_PATTERN, Type
from entra_lake.settings import include_folder

#: Athena's DDL words for our types.
HIVE_TYPES: dict[str, str] = {
    Type.STRING: "string",
    Type.JSON: "string",
    Type.INT: "int",
    Type.DOUBLE: "double",
    Type.BOOLEAN: "boolean",
    Type.TIMESTAMP: "timestamp",
    Type.STRINGS: "array<string>",
}

#: An object's id; a user's name may be one, too.
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_IDENTIFIERS = ("database", "table", "view")
#: Characters that no text in a SELECT needs: controls, halves of pairs, separators of lines.
_CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})
_LONGEST_LITERAL = 500
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n)+")
_COMMENT = re.compile(r"^\s*--.*$", re.MULTILINE)
#: SQL, not HTML: what is written into it comes as literals.
_SANDBOX = ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def render(name: str, **values: Any) -> str:  # noqa: ANN401 - what a template takes
    """Return the statement of `include/sql/<name>` with its placeholders filled.

    :raises ConfigurationError: when a name or text is of no form that is safe in a statement, or is missing.
    """
    check_names(**{name: values[name] for name in _IDENTIFIERS if name in values})
    try:
        text = _environment(include_folder() / "sql").get_template(name).render(**values)
    except UndefinedError as error:
        message = f"{name}: {error.message}; it needs a value."
        raise ConfigurationError(message) from error
    return _BLANK_LINES.sub("\n", _COMMENT.sub("", text)).strip()


@lru_cache(maxsize=256)
def placeholders(text: str) -> set[str]:
    """Return the names of the values that a template of `include/sql/` takes."""
    return meta.find_undeclared_variables(_environment(include_folder() / "sql").parse(text))


def render_text(body: str, **values: Any) -> str:  # noqa: ANN401 - what a template takes
    """Return a statement that is no file of its own, with its placeholders filled.

    Its author may be anybody who may drop a file into a folder: the template reaches nothing but the values.

    :raises ConfigurationError: when a placeholder has no value, or the template is wrong.
    """
    try:
        text = _compiled(body).render(**values)
    except TemplateError as error:
        message = f"{error.message}. Known are: {', '.join(values)}."
        raise ConfigurationError(message) from error
    return _COMMENT.sub("", text).strip().rstrip(";")


@lru_cache(maxsize=256)
def _compiled(body: str) -> Template:
    return _SANDBOX.from_string(body)


def check_names(**names: str) -> None:
    """Make sure that names can be written into a statement.

    :raises ConfigurationError: when one is of another form than Athena's plain one.
    """
    for kind, name in names.items():
        if not NAME_PATTERN.fullmatch(name):
            message = f"{kind} {name!r}: use lower-case letters, digits and _, a letter first."
            raise ConfigurationError(message)


def quote(value: str | date) -> str:
    """Return a text as an SQL literal.

    :raises ConfigurationError: when it holds control characters or backslashes, which Hive reads as escapes.
    """
    text = str(value)
    if "\\" in text or not text.isprintable():
        message = f"{text!r} cannot be written into a statement. Use printable characters without a backslash."
        raise ConfigurationError(message)
    return "'" + text.replace("'", "''") + "'"


def literal(value: str) -> str:
    """Return a text that somebody has typed, or that a log holds, as a literal of a SELECT.

    Backslashes and right-to-left overrides are plain characters there. Control characters are refused: no value
    that is asked for holds one, and a line break could end a comment's line.

    :raises ConfigurationError: when it holds control characters, or is longer than any field.
    """
    if len(value) > _LONGEST_LITERAL or any(unicodedata.category(character) in _CONTROLS for character in value):
        message = f"{value[:100]!r} cannot be searched for: it holds control characters, or is too long."
        raise ConfigurationError(message)
    return "'" + value.replace("'", "''") + "'"


def _comment(text: str) -> str:
    """Return a table's or column's comment: Hive has no doubled quotes, and Glue takes 255 characters."""
    return quote(text.replace("'", "\u2019")[:255])


@cache
def _environment(folder: Path) -> Environment:
    environment = Environment(  # noqa: S701 - SQL, not HTML: `text` quotes # nosec B701
        loader=FileSystemLoader(folder), undefined=StrictUndefined, keep_trailing_newline=False
    )
    environment.filters["text"] = quote
    environment.filters["literal"] = literal
    environment.filters["comment"] = _comment
    environment.tests["guid"] = lambda value: isinstance(value, str) and _GUID.fullmatch(value) is not None
    environment.filters["hive_type"] = HIVE_TYPES.__getitem__
    return environment
