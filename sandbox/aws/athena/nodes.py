"""Small words for rewriting a typed tree."""

from __future__ import annotations

from sqlglot import exp

from sandbox.aws.trees import copy_tree

Type = exp.DataType.Type
INTEGERS = (Type.TINYINT, Type.SMALLINT, Type.INT, Type.BIGINT)


def call(name: str, *arguments: exp.Expression | None) -> exp.Anonymous:
    """Return a function call of copies; arguments that are None are left out."""
    return exp.Anonymous(this=name, expressions=[copy_tree(argument) for argument in arguments if argument is not None])


def has_type(node: exp.Expression | None, *kinds: Type) -> bool:
    """Tell whether a node is known to be of one of some types."""
    return node is not None and node.type is not None and node.type.this in kinds
