"""One SELECT from its text to its rows: checked like Trino, planned on Glue, run by DuckDB on the objects in S3."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from datetime import datetime

import duckdb
import sqlglot
from sqlglot import exp

from sandbox.aws import trino_lint
from sandbox.aws.athena import connections, relations
from sandbox.aws.athena.catalog import Catalog, Table
from sandbox.aws.athena.checked import STAND_IN, Checked, Name, Read, with_days, without_days
from sandbox.aws.athena.dialect import to_duckdb
from sandbox.aws.athena.errors import NotSimulatedError, QueryFailedError, failure
from sandbox.aws.athena.pruning import columns_needed, key_conditions, partitions_needed
from sandbox.aws.athena.pushdown import push_conditions
from sandbox.aws.athena.relations import File, files_of, relation
from sandbox.aws.athena.remembered import Remembered
from sandbox.aws.athena.results import Result, Row, column_type, render
from sandbox.aws.athena.verdicts import Verdicts
from sandbox.aws.athena.views import expand_views, schema_of
from sandbox.aws.trino_lint import LintError

BATCH = 10_000
OTHER_STATEMENTS = (
    "VACUUM",
    "OPTIMIZE",
    "UNLOAD",
    "INSERT",
    "MERGE",
    "DELETE",
    "UPDATE",
    "CALL",
    "PREPARE",
    "EXECUTE",
    "DEALLOCATE",
)


@dataclass
class Query:
    """A statement that was checked, and what it will read."""

    checked: Checked
    days: dict[str, str]
    tables: dict[Name, Table]
    files: dict[Name, list[File]] = field(default_factory=dict)

    @property
    def scanned(self) -> int:
        """Return the bytes of the column chunks that the query needs."""
        return sum(file.bytes_of(self.checked.needed_of(name)) for name, files in self.files.items() for file in files)


_verdicts = Verdicts("statement")
_checked = Remembered[Checked]()


class Engine:
    """Runs one query on a DuckDB of its own."""

    def __init__(self, catalog: Catalog, database: str, now: Callable[[], datetime]) -> None:
        """Resolve bare names in `database`; `now` is the cloud's clock."""
        self.catalog = catalog
        self.database = database
        self.now = now
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._schemas: set[str] = set()
        self._lock = threading.Lock()
        self._cancelled = False

    def check(self, sql: str, parameters: list[str] | None = None) -> Query:
        """Refuse what Trino would refuse; find the tables and columns."""
        definitions = self.catalog.definitions(sql)
        general, days = without_days(sql) if STAND_IN not in definitions else (sql, {})
        key = (general, tuple(parameters or ()), self.database, definitions)
        try:
            checked = _checked.get(key, lambda: self._remember(key, general, parameters))
        except QueryFailedError:
            if not days:
                raise
            checked, days = self._check(sql, parameters), {}  # fails alike, and quotes the statement as it is
        tables = {name: table for name in checked.tables if (table := self.catalog.find(*name))}
        return Query(checked, days, tables)

    def _remember(self, key: Hashable, sql: str, parameters: list[str] | None) -> Checked:
        return Checked.from_json(_verdicts.get(key, lambda: self._check(sql, parameters).to_json()))

    def _check(self, sql: str, parameters: list[str] | None) -> Checked:
        word = sql.split(None, 1)[0].upper() if sql.strip() else ""
        if word in OTHER_STATEMENTS:
            message = f"the statement {word}"
            raise NotSimulatedError(message)
        try:
            tree = _bind(trino_lint.parse(sql), parameters or [])
            if not isinstance(tree, exp.Query):
                message = f"the statement '{' '.join(sql.split()[:3])} …'"
                raise NotSimulatedError(message)
            trino_lint.check_functions(sql)
            tree = expand_views(tree, self.catalog, self.database)
            schema, tables = schema_of(tree, self.catalog)
            tree = trino_lint.resolve(_name_columns(tree), schema, self.database)
            problems = trino_lint.type_problems(tree)
        except LintError as error:
            raise QueryFailedError(str(error)) from error
        if problems:
            raise QueryFailedError(problems[0])
        pushed, needed = push_conditions(tree), columns_needed(tree)
        return Checked(
            text=to_duckdb(tree),
            names=[select.alias_or_name for select in tree.selects],
            reads=[
                Read(*name, sorted(needed.get(name, ())), key_conditions(pushed, table))
                for name, table in tables.items()
            ],
        )

    def plan(self, query: Query) -> None:
        """Choose the partitions and list their objects as they are now."""
        for name, table in query.tables.items():
            parts = self.catalog.partitions(table)
            if table.keys:
                tests = query.checked.conditions_of(name, query.days)
                parts = partitions_needed(tests, table, parts, self._evaluate)
            else:
                parts = [relations.Partition((), table.location)]
            query.files[name] = files_of(self.catalog, parts)

    def run(self, query: Query) -> Result:
        """Run a planned query to its last row."""
        connection = self._connect()
        try:
            for (database, name), table in query.tables.items():
                self._schemas.add(database)
                connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{database}"')
                source = relation(table, query.files[database, name], query.checked.needed_of((database, name)))
                connection.execute(f'CREATE VIEW "{database}"."{name}" AS {source}')
            columns, rows = _fetch(connection, with_days(query.checked.text, query.days))
        except duckdb.Error as error:
            raise failure(error) from error
        return Result(list(zip(query.checked.names, columns, strict=True)), rows, is_dml=True, scanned=query.scanned)

    def view_columns(self, query: Query) -> dict[str, str]:
        """Return the names and Trino types of a query's columns, for CREATE VIEW."""
        empty = replace(query, files={name: [] for name in query.tables})
        return dict(self.run(empty).columns)

    def interrupt(self) -> None:
        """Stop a running query."""
        with self._lock:
            self._cancelled = True
            if self._connection is not None:
                self._connection.interrupt()

    def close(self) -> None:
        """Free the DuckDB for another query; one that was interrupted serves no other."""
        with self._lock:
            if self._connection is not None:
                connections.give_back(self._connection, self._schemas, usable=not self._cancelled)
                self._connection = None

    def _connect(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if self._cancelled:
                message = "Query was cancelled by user"
                raise QueryFailedError(message)
            if self._connection is None:
                self._connection = connections.take(self.now())
        return self._connection

    def _evaluate(self, condition: str, keys: list[str], rows: list[tuple[str | None, ...]]) -> list[bool]:
        """Evaluate a condition on partition values with the engine itself, so that pruning and running agree."""
        connection = self._connect()
        names = ", ".join(f'"{key}"' for key in ("__row", *keys))
        marks = ", ".join("(" + ", ".join("?" * (len(keys) + 1)) + ")" for _ in rows)
        values = [value for number, row in enumerate(rows) for value in (number, *row)]
        text = f"SELECT __row FROM (VALUES {marks}) AS p({names}) WHERE {condition}"
        try:
            hits = {number for (number,) in connection.execute(text, values).fetchall()}
        except duckdb.Error as error:
            raise failure(error) from error
        return [number in hits for number in range(len(rows))]


def _fetch(connection: duckdb.DuckDBPyConnection, text: str) -> tuple[list[str], list[Row]]:
    cursor = connection.execute(text)
    kinds = [column_type(str(column[1])) for column in cursor.description or []]
    rows: list[Row] = []
    while batch := cursor.fetchmany(BATCH):
        rows += [tuple(map(render, row)) for row in batch]
    return kinds, rows


def _bind(tree: exp.Expression, parameters: list[str]) -> exp.Expression:
    """Put execution parameters, which are SQL literals, in the place of the question marks."""
    marks = list(tree.find_all(exp.Placeholder, bfs=False))
    if len(marks) != len(parameters):
        counts = f"expected {len(marks)} but found {len(parameters)}"
        message = f"INVALID_PARAMETER_USAGE: Incorrect number of parameters: {counts}"
        raise QueryFailedError(message)
    for mark, parameter in zip(marks, parameters, strict=True):
        mark.replace(sqlglot.parse_one(parameter, read=trino_lint.DIALECT))
    return tree


def _name_columns(tree: exp.Expression) -> exp.Expression:
    """Name the unnamed columns of the result as Athena does: _col0, _col1."""
    select = tree
    while isinstance(select, exp.SetOperation):
        select = select.left
    for place, column in enumerate(select.selects if isinstance(select, exp.Select) else []):
        if not isinstance(column, exp.Alias | exp.Column | exp.Star) and not column.alias:
            column.replace(exp.alias_(column.copy(), f"_col{place}"))
    return tree
