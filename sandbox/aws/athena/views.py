"""Views: their text is read from Glue, resolved in the database where they were made, and put in their place."""

from __future__ import annotations

from sqlglot import exp
from sqlglot.schema import MappingSchema

from sandbox.aws.athena.catalog import Catalog, Table, decode_view
from sandbox.aws.athena.errors import QueryFailedError
from sandbox.aws.athena.relations import PATH
from sandbox.aws.athena.remembered import Remembered
from sandbox.aws.trees import copy_tree
from sandbox.aws.trino_lint import parse, resolve

DEEPEST = 20
_resolved = Remembered[exp.Expression]()


def expand_views(tree: exp.Expression, catalog: Catalog, database: str, depth: int = 0) -> exp.Expression:
    """Name every table in full and replace every view by its query; fail like Trino when one does not exist."""
    if depth > DEEPEST:
        message = "INVALID_VIEW: Statement stack overflow: views are nested too deeply"
        raise QueryFailedError(message)
    tree = copy_tree(tree)
    with_names = _common_table_names(tree)
    for node in list(tree.find_all(exp.Table)):
        if not isinstance(node.this, exp.Identifier) or (not node.db and node.name.lower() in with_names):
            continue
        table = _find(catalog, node, database)
        if table.view_sql is None:
            node.set("catalog", None)
            node.set("db", exp.to_identifier(table.database))
            node.set("this", exp.to_identifier(table.name))
        else:
            inner = _view_query(table, catalog, depth)
            subquery = inner.subquery(node.alias or table.name, copy=False)
            subquery.set("joins", node.args.get("joins"))
            node.replace(subquery)
    return tree


def schema_of(tree: exp.Expression, catalog: Catalog) -> tuple[MappingSchema, dict[tuple[str, str], Table]]:
    """Return the columns of the tables in a tree; "$path" is there but hidden from the star."""
    tables: dict[tuple[str, str], Table] = {}
    for node in tree.find_all(exp.Table):
        found = catalog.find(node.db, node.name) if node.db else None
        if found is not None:
            tables[(found.database, found.name)] = found
    schema = MappingSchema(dialect="athena", visible={})
    visible: dict[str, dict[str, list[str]]] = {}
    for table in tables.values():
        columns = {
            name: exp.DataType.build(kind, dialect="hive") for name, kind in (table.columns | table.keys).items()
        }
        visible.setdefault(table.database, {})[table.name] = list(columns)
        schema.add_table(f"{table.database}.{table.name}", {**columns, PATH: exp.DataType.build("varchar")})
    schema.visible = visible
    return schema, tables


def _find(catalog: Catalog, node: exp.Table, database: str) -> Table:
    if node.catalog and node.catalog.lower() != "awsdatacatalog":
        message = f"CATALOG_NOT_FOUND: line 1:1: Catalog '{node.catalog}' does not exist"
        raise QueryFailedError(message)
    schema, name = (node.db or database).lower(), node.name.lower()
    found = catalog.find(schema, name)
    if found is not None:
        return found
    first = node.args.get("db") or node.this
    place = first.meta
    where = f"line {place.get('line', 1)}:{max(1, place.get('col', 1) - len(first.name) + 1)}"
    if schema not in catalog.databases():
        message = f"SCHEMA_NOT_FOUND: {where}: Schema '{schema}' does not exist"
        raise QueryFailedError(message)
    message = f"TABLE_NOT_FOUND: {where}: Table 'awsdatacatalog.{schema}.{name}' does not exist"
    raise QueryFailedError(message)


def _view_query(table: Table, catalog: Catalog, depth: int) -> exp.Expression:
    key = (table.full_name, catalog.definitions(table.name))
    return copy_tree(_resolved.get(key, lambda: _resolve_view(table, catalog, depth)))


def _resolve_view(table: Table, catalog: Catalog, depth: int) -> exp.Expression:
    stored = decode_view(catalog.raw(table.database, table.name).as_dict()["ViewOriginalText"])
    tree = expand_views(parse(stored["originalSql"]), catalog, stored["schema"], depth + 1)
    schema, _ = schema_of(tree, catalog)
    names = [column["name"] for column in stored["columns"]]
    found = resolve(tree, schema, stored["schema"])
    if [select.alias_or_name for select in found.selects] != names:
        message = (
            f"VIEW_IS_STALE: line 1:15: View '{table.full_name}' is stale or in invalid state: "
            f"its columns are no longer those of its query; create it again"
        )
        raise QueryFailedError(message)
    return found


def _common_table_names(tree: exp.Expression) -> set[str]:
    return {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
