"""Records of any shape for property tests: like Graph's, with anything in them at times."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from entra_lake.flatten import RECORD
from entra_lake.schema import Column, Type

texts = st.text(max_size=8) | st.sampled_from(["", "\x00", "é", "\ud800x", "2026-11-22T12:54:12.5603524Z", "=1+1"])
numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.sampled_from([0, 47, -0.0, 2**31, 1e308 * 10])
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)


def members(tree: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Make objects that look like Graph's, with anything in them at times, and unknown members."""
    known = {key: _member(node) | values for key, node in tree.items()}
    return st.builds(
        lambda fixed, more: {**more, **fixed},
        st.fixed_dictionaries({}, optional=known),
        st.dictionaries(texts | st.sampled_from(["@absent", RECORD, "newField"]), values, max_size=2),
    )


def _member(node: Column | dict[str, Any]) -> st.SearchStrategy[Any]:
    if isinstance(node, dict):
        return st.none() | members(node)
    typed = {
        Type.STRING: texts,
        Type.INT: st.integers(-(2**31), 2**31 - 1),
        Type.DOUBLE: st.floats(allow_nan=False),
        Type.BOOLEAN: st.booleans(),
        Type.JSON: st.lists(values, max_size=3),
    }
    return st.none() | typed[node.type]
