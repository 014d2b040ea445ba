"""Conditions move towards the tables, as Trino's planner moves them: through subqueries, UNION and UNNEST.

sqlglot's own optimizer stops at a UNION, at a CROSS JOIN UNNEST and at a common table expression that is read twice;
Trino does not. Conditions are copied, not moved: the tree is only asked which partitions it can need.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from sandbox.aws.trees import copy_tree


def push_conditions(tree: exp.Expression) -> exp.Expression:
    """Return a copy of a resolved tree whose subqueries hold every condition that the queries around them make."""
    tree = _inline(copy_tree(tree))
    for select in list(tree.find_all(exp.Select)):  # breadth first: a query before its subqueries
        for condition in conditions(select):
            for source in _sources(select):
                if isinstance(source, exp.Subquery) and _speaks_of(condition, source.alias):
                    _add(source.this, condition)
    return tree


def conditions(select: exp.Select, alias: str | None = None) -> Iterator[exp.Expression]:
    """Return the conditions that rows must meet: those of WHERE and, for its own source, of a join.

    :param alias: the source; without it, the conditions of all joins that keep the meaning for their own source.
    """
    joins = [join for join in select.args.get("joins") or [] if join.side not in ("RIGHT", "FULL")]
    where = select.args.get("where")
    if where is not None:
        yield from _parts(where.this)
    for join in joins:
        on = join.args.get("on")
        if on is not None and alias in (None, join.alias_or_name):
            yield from (part for part in _parts(on) if alias or _speaks_of(part, join.alias_or_name))


def _parts(condition: exp.Expression) -> Iterator[exp.Expression]:
    condition = condition.unnest()  # conditions that were added one after the other stand in brackets
    if isinstance(condition, exp.And):
        yield from _parts(condition.left)
        yield from _parts(condition.right)
    else:
        yield condition


def _sources(select: exp.Select) -> Iterator[exp.Expression]:
    clause = select.args.get("from_") or select.args.get("from")
    for node in [clause, *(select.args.get("joins") or [])]:
        if node is not None:
            yield node.this


def _speaks_of(condition: exp.Expression, alias: str) -> bool:
    """Tell whether a condition is one on the columns of one source and nothing else."""
    columns = list(condition.find_all(exp.Column))
    return bool(columns) and not condition.find(exp.Query) and all(column.table == alias for column in columns)


def _add(query: exp.Expression, condition: exp.Expression, names: list[str] | None = None) -> None:
    """Add a condition on a query's columns to the query itself, where that leaves the same rows of them."""
    if isinstance(query, exp.Subquery):
        _add(query.this, condition, names)
    elif isinstance(query, exp.SetOperation):
        names = names or [select.alias_or_name for select in query.selects]
        if not (query.args.get("limit") or query.args.get("offset")):
            _add(query.this, condition, names)
            _add(query.expression, condition, names)
    elif isinstance(query, exp.Select):
        names = names or [select.alias_or_name for select in query.selects]
        made_of = dict(zip(names, (select.unalias() for select in query.selects), strict=True))
        wanted = [made_of[column.name] for column in condition.find_all(exp.Column) if column.name in made_of]
        if wanted and all(_passes(query, value) for value in wanted):
            query.where(copy_tree(condition).transform(_replace, made_of, copy=False), copy=False)


def _replace(node: exp.Expression, made_of: dict[str, exp.Expression]) -> exp.Expression:
    return copy_tree(made_of[node.name]) if isinstance(node, exp.Column) and node.name in made_of else node


def _passes(select: exp.Select, value: exp.Expression) -> bool:
    """Tell whether dropping rows by this value first gives the same as dropping them last."""
    if select.args.get("limit") or select.args.get("offset") or value.find(exp.AggFunc, exp.Window):
        return False
    windows = [window for column in select.selects for window in column.find_all(exp.Window)]
    if any(value not in window.args.get("partition_by", []) for window in windows):
        return False
    group = select.args.get("group")
    if group is not None:
        return value in group.expressions
    return not any(_aggregates(column) for column in select.selects)


def _aggregates(column: exp.Expression) -> bool:
    return any(not isinstance(found.parent, exp.Window) for found in column.find_all(exp.AggFunc))


def _inline(tree: exp.Expression) -> exp.Expression:
    """Put every common table expression in its places, as Trino does: each reader has conditions of its own."""
    while (clause := tree.find(exp.With)) is not None and not clause.recursive:
        query, (first, *rest) = clause.parent, clause.expressions
        if rest:
            clause.set("expressions", rest)
        else:
            clause.pop()
        for table in list(query.find_all(exp.Table)):
            if table.name == first.alias and not table.db:
                made = copy_tree(first.this).subquery(table.alias_or_name, copy=False)
                made.set("joins", table.args.get("joins"))
                table.replace(made)
    return tree
