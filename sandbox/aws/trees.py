"""Copies of syntax trees that share the types of their nodes: to copy those as well takes most of sqlglot's time."""

from __future__ import annotations

from typing import TypeVar

from sqlglot import exp

Tree = TypeVar("Tree", bound=exp.Expression)


def copy_tree(tree: Tree) -> Tree:
    """Copy a tree; a node and its copy have one type between them, which nobody may change in place."""
    root = type(tree)()
    waiting: list[tuple[exp.Expression, exp.Expression]] = [(tree, root)]
    while waiting:
        node, made = waiting.pop()
        _copy_facts(node, made)
        for name, value in node.args.items():
            if isinstance(value, exp.Expression):
                made.set(name, _begin(value, waiting))
            elif isinstance(value, list):
                made.args[name] = []
                for item in value:
                    made.append(name, _begin(item, waiting) if isinstance(item, exp.Expression) else item)
            else:
                made.args[name] = value
    return root


def _begin(node: exp.Expression, waiting: list[tuple[exp.Expression, exp.Expression]]) -> exp.Expression:
    waiting.append((node, type(node)()))
    return waiting[-1][1]


def _copy_facts(node: exp.Expression, made: exp.Expression) -> None:
    if node.comments:
        made.comments = list(node.comments)
    made._type = node._type  # noqa: SLF001 - the public names would make a type, and facts, where there are none
    if node._meta:  # noqa: SLF001
        made._meta = dict(node._meta)  # noqa: SLF001
