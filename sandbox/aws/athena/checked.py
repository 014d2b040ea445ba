"""A SELECT that Trino would accept, as what is left to do: DuckDB's text, and what it reads of which table.

It speaks of no day: the same question is asked of one day after the other, and to check it costs more than to answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

Name = tuple[str, str]
#: How the days begin that stand for others; a statement or view that speaks of such a day itself is left as it is.
STAND_IN = "0001-01-"
_DAY = re.compile(r"'(\d{4}-\d\d-\d\d)'")
_MOST_DAYS = 28


@dataclass(frozen=True)
class Read:
    """What a query reads of a table.

    :param columns: the columns that it needs.
    :param conditions: for each place where it reads the table, the conditions on partition keys, in DuckDB's words.
    """

    database: str
    table: str
    columns: list[str]
    conditions: list[list[str]]

    @property
    def name(self) -> Name:
        """Return database and table."""
        return self.database, self.table


@dataclass(frozen=True)
class Checked:
    """A checked statement.

    :param names: the names of the result's columns.
    """

    text: str
    names: list[str]
    reads: list[Read]

    @property
    def tables(self) -> list[Name]:
        """Return the tables that the query reads."""
        return [read.name for read in self.reads]

    def needed_of(self, name: Name) -> set[str]:
        """Return the columns that the query needs of a table."""
        return {column for read in self.reads if read.name == name for column in read.columns}

    def conditions_of(self, name: Name, days: Mapping[str, str]) -> list[list[str]]:
        """Return the conditions on a table's keys, with the statement's own days."""
        found = [place for read in self.reads if read.name == name for place in read.conditions]
        return [[with_days(condition, days) for condition in place] for place in found]

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Return what `to_json` was called on."""
        return cls(value["text"], value["names"], [Read(**read) for read in value["reads"]])


def without_days(sql: str) -> tuple[str, dict[str, str]]:
    """Return a statement with other days in place of its own, and which stand for which."""
    days = list(dict.fromkeys(_DAY.findall(sql)))
    if len(days) > _MOST_DAYS or STAND_IN in sql:
        return sql, {}
    stand_in = {day: f"{STAND_IN}{number:02}" for number, day in enumerate(days, start=1)}
    return _DAY.sub(lambda match: f"'{stand_in[match[1]]}'", sql), {other: day for day, other in stand_in.items()}


def with_days(text: str, days: Mapping[str, str]) -> str:
    """Return a text of DuckDB's with the statement's own days in it again."""
    return _DAY.sub(lambda match: f"'{days.get(match[1], match[1])}'", text)
