"""A copy of a syntax tree is its own tree: whatever is done to one, the other stays."""

from __future__ import annotations

from sqlglot import exp
from sqlglot.schema import MappingSchema

from sandbox.aws.athena.dialect import to_duckdb
from sandbox.aws.trees import copy_tree
from sandbox.aws.trino_lint import parse, resolve

SQL = """
WITH a AS (SELECT id, n FROM db.t WHERE n IN (1, 2))
SELECT a.id, CAST(b.n AS varchar) AS n FROM a JOIN db.t AS b ON b.id = a.id ORDER BY a.n DESC LIMIT 3
"""


def make_tree() -> exp.Expression:
    """Return a tree with types, comments and places; what a statement says in comments does not outlive `resolve`."""
    schema = MappingSchema({"db": {"t": {"id": "varchar", "n": "bigint"}}}, dialect="athena")
    tree = resolve(parse(SQL), schema, "db")
    for number, node in enumerate(tree.find_all(exp.Column)):
        node.add_comments([f"column {number}"])
    return tree


def test_a_copy_is_equal() -> None:
    """In shape, types, comments and places; every node of it knows its parent."""
    tree = make_tree()
    made = copy_tree(tree)
    for node, twin in zip(tree.walk(), made.walk(), strict=True):
        assert (node == twin, node.type, node.comments, node.meta) == (True, twin.type, twin.comments, twin.meta)
        assert node is not twin
        assert twin is made or twin.parent in list(made.walk())
        assert (node.arg_key, node.index) == (twin.arg_key, twin.index)
    assert made.sql("athena") == tree.sql("athena")
    assert to_duckdb(made) == to_duckdb(tree)


def test_a_change_to_the_copy_leaves_the_tree() -> None:
    """Names, branches, facts and comments are the copy's own."""
    tree = make_tree()
    before = tree.sql("athena")
    made = copy_tree(tree)
    for node in list(made.walk()):
        node.add_comments(["changed"])
        node.meta["changed"] = True
    made.find(exp.With).pop()
    for name in made.find_all(exp.Identifier):
        name.set("this", "other")
    assert tree.sql("athena") == before
    assert not any(node.meta.get("changed") for node in tree.walk())
