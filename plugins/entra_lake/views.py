"""The views for analysts: `include/sql/views/<name>.sql`, each with what it shows in its front matter.

They are the stable interface: what they are made of may change, their names, columns and types do not.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from entra_lake.errors import ConfigurationError
from entra_lake.front_matter import SqlFile, read_sql_files
from entra_lake.schema import NAME_PATTERN
from entra_lake.settings import include_folder
from entra_lake.sql import check_names, render_text
from entra_lake.streams import STREAMS

_TYPES = ("varchar", "integer", "bigint", "double", "boolean", "timestamp(3)", "array(varchar)")


@dataclass(frozen=True)
class ViewColumn:
    """One column of a view.

    :param type: as Athena's SELECT knows it.
    """

    name: str
    type: str
    description: str


@dataclass(frozen=True, kw_only=True)
class View:
    """One view.

    :param streams: a lake must have all of them for the view to exist.
    :param any_of: the view shows those of these streams that the lake has, and needs one of them.
    :param body: its SELECT, with placeholders.
    """

    name: str
    description: str
    columns: tuple[ViewColumn, ...]
    body: str
    streams: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()

    def is_for(self, streams: Collection[str]) -> bool:
        """Tell whether a lake with these streams has the view."""
        return set(self.streams) <= set(streams) and (not self.any_of or not set(self.any_of).isdisjoint(streams))

    def reads(self, names: Collection[str]) -> bool:
        """Tell whether the view's SELECT speaks of one of these tables or views."""
        return not set(re.findall(r"\w+", self.body)).isdisjoint(names)

    def select(self, database: str, streams: Collection[str] = tuple(STREAMS)) -> str:
        """Return the view's SELECT for a database with these streams.

        :raises ConfigurationError: when the database's name is of no safe form.
        """
        check_names(database=database)
        return render_text(self.body, database=database, streams=tuple(streams))


def read_views(folder: Path | None = None) -> list[View]:
    """Return all views, by name.

    :raises ConfigurationError: naming the file and field that is wrong.
    """
    return [_view(file) for file in read_sql_files(folder or include_folder() / "sql" / "views")]


def in_order(views: Collection[View]) -> list[View]:
    """Return views in an order in which they can be created: each behind those that it reads."""
    waiting, done = {view.name: view for view in views}, list[View]()
    while waiting:
        ready = [view for view in waiting.values() if not view.reads(waiting.keys() - {view.name})]
        if not ready:
            message = f"The views {', '.join(sorted(waiting))} read each other."
            raise ConfigurationError(message)
        done += ready
        waiting = {name: view for name, view in waiting.items() if view not in ready}
    return done


def _view(file: SqlFile) -> View:
    file.require_fields(("description", "columns"), ("streams", "any_of"))
    if file.name in STREAMS or file.name.removesuffix("_history") in STREAMS:
        message = f"{file.path}: a stream has this name. Name the view otherwise."
        raise ConfigurationError(message)
    view = View(
        name=file.name,
        description=file.text("description"),
        columns=_columns(file),
        body=file.body,
        streams=file.streams("streams"),
        any_of=file.streams("any_of"),
    )
    if not view.streams and not view.any_of:
        file.refuse("streams", "the streams that the view needs")
    return view


def _columns(file: SqlFile) -> tuple[ViewColumn, ...]:
    columns = file.facts["columns"]
    if not isinstance(columns, dict) or not columns:
        file.refuse("columns", "name: [type, description] of each column")
    for name, facts in columns.items():
        is_right = (
            isinstance(name, str)
            and NAME_PATTERN.fullmatch(name)
            and isinstance(facts, list)
            and len(facts) == len(("type", "description"))
            and facts[0] in _TYPES
            and isinstance(facts[1], str)
        )
        if not is_right:
            message = f"{file.path}: columns, {name}: {facts!r}; expected [type, description], a type of {_TYPES}."
            raise ConfigurationError(message)
    return tuple(ViewColumn(name, kind, description) for name, (kind, description) in columns.items())
