"""The structs that records are read into: made from a stream's columns, an object of a record a struct.

Each is made twice with the same fields: one that takes whatever members are left out, and a plain one, quicker to read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from entra_lake.flatten import Record, Tree, parse_record
from entra_lake.schema import Column, Type

#: A struct of a stream; its type is made from the stream's columns.
Struct = Any
#: Paths of members that no column knows.
Paths = frozenset[tuple[str, ...]]

NO_TEXT = Raw(b"")
NULL_TEXT = Raw(b"null")
#: The only id that tells records from one another.
_ID = Annotated[str, msgspec.Meta(min_length=1)]
_TYPES: Mapping[Type, Any] = {
    Type.STRING: str,
    Type.INT: int | float,  # told apart afterwards: 1 and 1.0 are two things
    Type.DOUBLE: int | float,
    Type.BOOLEAN: bool,
}


@dataclass(frozen=True)
class Node:
    """An object of a record: the struct that reads it, and what its fields are, in their order.

    :param kind: the struct's type.
    :param plain: the same fields for records that leave nothing out: quicker to read, and what it refuses is odd.
    :param columns: field number to column.
    :param objects: field number to the object inside.
    :param learned: field number to the name of a member that no column knows.
    :param absent: an instance that stands for a null object: all of its columns are NULL.
    """

    kind: type[Struct]
    plain: type[Struct]
    names: tuple[str, ...]
    columns: tuple[tuple[int, Column], ...]
    objects: tuple[tuple[int, Node], ...]
    learned: tuple[tuple[int, str], ...]
    absent: Struct = field(repr=False)

    @cached_property
    def kinds(self) -> frozenset[type]:
        """Return the types whose fields are this node's."""
        return frozenset({self.kind, self.plain})


@cache
def struct_name(number: int) -> str:
    """Return what the struct's field of this number is called."""
    return f"f{number}"


def make_node(tree: Tree, learned: Paths, name: str) -> Node:
    """Make the structs of one object; fields are numbered, for Graph's names need not be Python's."""
    names = [*tree, *sorted({path[0] for path in learned if len(path) == 1})]
    columns, objects, unknown = [], [], []
    fields: list[tuple[str, Any, Any]] = []
    plain: list[tuple[str, Any, Any]] = []
    nulls: list[Any] = []
    default: Any
    for number, key in enumerate(names):
        inner, at = tree.get(key), struct_name(number)
        if inner is None:
            unknown.append((number, key))
            kinds: tuple[Any, Any] = (Raw, Raw)
            default, null, may_lack = NO_TEXT, NO_TEXT, True
        elif isinstance(inner, dict):
            paths = frozenset(path[1:] for path in learned if path[0] == key and len(path) > 1)
            node = make_node(inner, paths, f"{name}_{number}")
            objects.append((number, node))
            kinds, default, null, may_lack = (node.kind | None, node.plain | None), UNSET, None, False
        else:
            columns.append((number, inner))
            kinds, default, null = _field(inner)
            may_lack = inner.optional
        fields.append((at, kinds[0] | UnsetType if default is UNSET else kinds[0], default))
        if may_lack:
            plain.append((at, kinds[1] | UnsetType if default is UNSET else kinds[1], default))
        else:
            plain.append((at, kinds[1], msgspec.NODEFAULT))
        nulls.append(null)
    rename = {struct_name(number): key for number, key in enumerate(names)}
    kind, quick = (
        msgspec.defstruct(title, own, rename=rename, gc=False, kw_only=True, forbid_unknown_fields=True)
        for title, own in ((name, fields), (f"Plain{name}", plain))
    )
    absent = kind(**{struct_name(number): null for number, null in enumerate(nulls)})
    return Node(kind, quick, tuple(names), tuple(columns), tuple(objects), tuple(unknown), absent)


def _field(column: Column) -> tuple[tuple[Any, Any], Any, Any]:
    """Return the types in both structs, the default, and what stands for the column in a null object."""
    if column.type is Type.JSON:
        return (Raw, Raw), NO_TEXT, (NO_TEXT if column.optional else NULL_TEXT)
    kind = _TYPES[column.type] | None
    return (kind, _ID if column.path == "id" else kind), UNSET, UNSET if column.optional else None


def renew(item: Struct, node: Node) -> Struct:
    """Copy a struct into a newer kind that has more learned members: its own come first and in the same order."""
    old = dict(zip(type(item).__struct_encode_fields__, msgspec.structs.astuple(item), strict=True))
    for number, inner in node.objects:
        name = node.names[number]
        if isinstance(old.get(name), msgspec.Struct):
            old[name] = renew(old[name], inner)
    return node.kind(**{struct_name(number): old[name] for number, name in enumerate(node.names) if name in old})


def struct_of_row(node: Node, row: Mapping[str, Any]) -> Struct:
    """Return the struct whose columns hold what the row holds."""
    values: dict[str, Any] = {}
    for number, column in node.columns:
        value = row[column.name]
        if column.type is Type.JSON:
            value = NULL_TEXT if value is None else Raw(value.encode())
        values[struct_name(number)] = value
    for number, inner in node.objects:
        values[struct_name(number)] = struct_of_row(inner, row)
    return node.kind(**values)


def light_object(node: Node, item: Struct) -> Record:
    """Return an object with empty lists in place of its collections."""
    values = msgspec.structs.astuple(item)
    record: Record = {}
    for number, column in node.columns:
        value = values[number]
        if column.type is Type.JSON:
            _put_text(record, node.names[number], value)
        elif value is not UNSET:
            record[node.names[number]] = value
    for number, inner in node.objects:
        value = values[number]
        if value is not UNSET:
            record[node.names[number]] = None if value is None else light_object(inner, value)
    for number, name in node.learned:
        if text := bytes(values[number]):
            record[name] = parse_value(text)
    return record


def _put_text(record: Record, name: str, text: Raw) -> None:
    if value := bytes(text):
        record[name] = [] if value.startswith(b"[") else parse_value(value)


def parse_value(text: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Return a JSON value as `parse_record` would inside a record."""
    return parse_record(b'{"v":' + text + b"}")["v"]
