"""Asks four oracles whether Athena would run a statement: Trino's grammar, its functions, the schema, its strict types.

No server is needed. Hive DDL is not for these oracles: Athena sends it to another parser (sandbox/aws/athena/ddl.py).
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.schema import MappingSchema

from sandbox.aws import trino_lint
from sandbox.aws.trino_lint import LintError

DATABASE = "lake"
Columns = dict[str, dict[str, str]]


def check(sql: str, columns: Columns) -> list[str]:
    """Return what Trino would not accept in a SELECT; `columns` gives each table's columns and their types."""
    problems: list[str] = []
    try:
        tree = trino_lint.parse(sql)
    except LintError as error:
        return [str(error)]
    try:
        trino_lint.check_functions(sql)
    except LintError as error:
        problems.append(str(error))
    unknown = _unknown_tables(tree, columns)
    if unknown:
        return [*problems, *(f"TABLE_NOT_FOUND: Table '{name}' does not exist" for name in unknown)]
    try:
        tree = trino_lint.resolve(_without_databases(tree), _schema(columns), DATABASE)
    except LintError as error:
        return [*problems, str(error)]
    return problems + trino_lint.type_problems(tree)


def _unknown_tables(tree: exp.Expression, columns: Columns) -> list[str]:
    common = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    names = {table.name.lower() for table in tree.find_all(exp.Table) if table.name}
    return sorted(names - common - {name.lower() for name in columns})


def _without_databases(tree: exp.Expression) -> exp.Expression:
    for table in tree.find_all(exp.Table):
        table.set("db", None)
        table.set("catalog", None)
    return tree


def _schema(columns: Columns) -> MappingSchema:
    schema = MappingSchema(dialect=trino_lint.DIALECT)
    for name, types in columns.items():
        schema.add_table(
            f"{DATABASE}.{name}", {column: exp.DataType.build(kind, dialect="trino") for column, kind in types.items()}
        )
    return schema
