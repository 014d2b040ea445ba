"""What a query needs of a table: the columns it reads, and the partitions that its conditions leave."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from sqlglot import exp
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.scope import Scope, traverse_scope

from sandbox.aws.athena.catalog import Partition, Table
from sandbox.aws.athena.checked import Name
from sandbox.aws.athena.dialect import to_duckdb
from sandbox.aws.athena.pushdown import conditions
from sandbox.aws.trees import copy_tree


class Evaluate(Protocol):
    """Tells which rows of partition values fulfil a condition."""

    def __call__(self, condition: str, keys: list[str], rows: list[tuple[str | None, ...]]) -> list[bool]:
        """Return one truth value per row."""


def columns_needed(tree: exp.Expression) -> dict[Name, set[str]]:
    """Return the columns that a resolved query reads, by table."""
    tree = pushdown_projections(copy_tree(tree))
    needed: dict[Name, set[str]] = {}
    for scope in traverse_scope(tree):
        loose = {column.name for column in scope.unqualified_columns}
        for alias, table in _tables(scope):
            used = {column.name for column in scope.source_columns(alias)}
            needed.setdefault((table.db, table.name), set()).update(used | loose)
    return needed


def key_conditions(tree: exp.Expression, table: Table) -> list[list[str]]:
    """Return the conditions on a table's keys at each place where a tree that `push_conditions` returned reads it."""
    return [
        [_test(condition) for condition in _conditions(scope, alias, set(table.keys))]
        for scope in traverse_scope(tree)
        for alias, found in _tables(scope)
        if (found.db, found.name) == (table.database, table.name)
    ]


def partitions_needed(
    places: list[list[str]], table: Table, all_parts: list[Partition], evaluate: Evaluate
) -> list[Partition]:
    """Return the partitions that may hold rows of the result; `places` is what `key_conditions` returned."""
    kept: set[tuple[str, ...]] = set()
    for tests in places:
        rows = [part.values for part in all_parts if part.values not in kept]
        kept.update(_surviving(tests, table, rows, evaluate))
    return [part for part in all_parts if part.values in kept]


def _surviving(
    tests: list[str], table: Table, rows: list[tuple[str, ...]], evaluate: Evaluate
) -> list[tuple[str, ...]]:
    nothing: tuple[None, ...] = (None,) * len(table.keys)
    for test in tests:
        *hits, null_passes = evaluate(test, list(table.keys), [*rows, nothing])
        # A condition that NULL fulfils may be there for the rows that an outer join adds: it prunes nothing.
        if not null_passes:
            rows = [row for row, hit in zip(rows, hits, strict=True) if hit]
    return rows


def _test(condition: exp.Expression) -> str:
    """Return a condition on partition keys as one on their bare names, in DuckDB's words."""
    test = copy_tree(condition)
    for column in list(test.find_all(exp.Column)):
        column.set("table", None)
    return to_duckdb(test)


def _conditions(scope: Scope, alias: str, keys: set[str]) -> Iterator[exp.Expression]:
    if not isinstance(scope.expression, exp.Select):
        return
    for part in conditions(scope.expression, alias):
        columns = list(part.find_all(exp.Column))
        if (
            columns
            and not part.find(exp.Subquery, exp.Select)
            and all(c.table == alias and c.name in keys for c in columns)
        ):
            yield part


def _tables(scope: Scope) -> Iterator[tuple[str, exp.Table]]:
    for alias, source in scope.sources.items():
        if isinstance(source, exp.Table):
            yield alias, source
