"""Structs to Arrow columns, whole columns at a time; equal, cell by cell, to what `flatten` gives each record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from msgspec import UNSET, UnsetType

from entra_lake.arrow import ARROW_TYPES
from entra_lake.flatten import Row, flatten, hold, replace_id, strings
from entra_lake.schema import Column, Stream, Type
from entra_lake.shape import Node, Shape, Struct, parse_value, slow_row

Flags = npt.NDArray[np.bool_]
#: Texts of collections that often repeat; longer ones hardly ever do.
_SHORT = 64
_LIST = b"["


@dataclass
class Flat:
    """The stream's own columns of some records, and `extra_json` of each."""

    columns: dict[str, pa.Array]
    extra: list[str | None]


def flat_columns(lines: Sequence[bytes], structs: Sequence[Struct | None], ids: Sequence[str], shape: Shape) -> Flat:
    """Return what `flatten` gives for each record, column by column.

    :param structs: what `shape` has read of each line; None where `flatten` must take it.
    :param ids: what stands for each record's id.
    """
    rows = {
        number: _slow_row(line, record_id, shape.stream)
        for number, (line, item, record_id) in enumerate(zip(lines, structs, ids, strict=True))
        if item is None or shape.id_and_time(item)[0] is None
    }
    whole = [shape.of_row(rows[place]) if place in rows else shape.renew(item) for place, item in enumerate(structs)]
    walk = _Walk(len(whole))
    walk.object(whole, shape.node)
    columns = walk.columns
    for path, derived in _derived(shape.stream).items():
        for column, values in zip(derived.columns, derived.of(walk.texts[path]), strict=True):
            for place, row in rows.items():
                values[place] = row[column.name]
            columns[column.name] = pa.array(values, ARROW_TYPES[Type.STRINGS])
    extra: list[str | None] = [rows[place]["extra_json"] if place in rows else None for place in range(len(whole))]
    for place in np.flatnonzero(walk.odd).tolist():
        if place not in rows:
            extra[place] = flatten(shape.light_record(whole[place]), shape.stream)["extra_json"]
    return Flat(columns, extra)


def _slow_row(line: bytes, record_id: str, stream: Stream) -> Row:
    row = slow_row(line, stream)
    if row["id"] != record_id:
        replace_id(row, record_id)
    return row


class _Walk:
    """A walk over the objects of many records at once."""

    def __init__(self, size: int) -> None:
        self.columns: dict[str, pa.Array] = {}
        self.texts: dict[str, list[bytes]] = {}
        self.odd: Flags = np.zeros(size, dtype=bool)

    def object(self, items: Sequence[Struct], node: Node) -> Flags:
        """Make the columns of an object; return where all of them are NULL."""
        values = list(zip(*map(msgspec.structs.astuple, items), strict=True)) or [()] * len(node.names)
        empty: Flags = np.ones(len(items), dtype=bool)
        for number, column in node.columns:
            array = self._column(values[number], column)
            self.columns[column.name] = array
            if array.null_count < len(array):
                empty &= array.is_null().to_numpy(zero_copy_only=False)
        for number, inner in node.objects:
            empty &= self._inner(values[number], inner)
        for number, _ in node.learned:
            self._mark(bool(text) for text in map(bytes, values[number]))
        return empty

    def _inner(self, items: Sequence[Struct], node: Node) -> Flags:
        null: Flags = np.fromiter((item is None for item in items), dtype=bool, count=len(items))
        absent: Flags = np.fromiter((item is UNSET for item in items), dtype=bool, count=len(items))
        self.odd |= absent
        gone = null | absent
        if gone.any():
            items = [node.absent if is_gone else item for item, is_gone in zip(items, gone.tolist(), strict=True)]
        empty = self.object(items, node)
        self.odd |= empty & ~gone  # its columns alone would stand for null
        return empty

    def _column(self, values: Sequence[Any], column: Column) -> pa.Array:
        if column.type is Type.JSON:
            return self._collection(values, column)
        if column.optional:
            self._mark(value is None for value in values)
            values = [None if value is UNSET else value for value in values]
        try:
            return _ARRAYS[column.type](values)
        except _Unexpected:
            values = self._without_gaps(values)
        try:
            return _ARRAYS[column.type](values)
        except _Unexpected:
            return self._held(values, column)

    def _without_gaps(self, values: Sequence[Any]) -> Sequence[Any]:
        """Put None for members that are left out, and mark their records."""
        gaps = [number for number, value in enumerate(values) if value is UNSET]
        self.odd[gaps] = True
        return [None if value is UNSET else value for value in values] if gaps else values

    def _held(self, values: Sequence[Any], column: Column) -> pa.Array:
        """Make a column some of whose numbers are of another kind than the column's."""
        cells = [(None, True) if value is None else hold(column, value) for value in values]
        self.odd[[number for number, (_, is_exact) in enumerate(cells) if not is_exact]] = True
        return pa.array([cell for cell, _ in cells], ARROW_TYPES[column.type])

    def _collection(self, values: Sequence[Any], column: Column) -> pa.Array:
        texts = list(map(bytes, values))
        self.texts[column.path] = texts
        cells: list[bytes | None] = []
        for number, text in enumerate(texts):
            if text.startswith(_LIST):
                cells.append(text)
                continue
            cells.append(None)
            if text != (b"" if column.optional else b"null"):
                self.odd[number] = True
        return pa.array(cells, pa.string())

    def _mark(self, flags: Iterable[bool]) -> None:
        self.odd |= np.fromiter(flags, dtype=bool, count=len(self.odd))


def _texts(values: Sequence[Any]) -> pa.Array:
    return pa.array(values, pa.string())


def _booleans(values: Sequence[Any]) -> pa.Array:
    return pa.array(values, pa.bool_())


def _integers(values: Sequence[Any]) -> pa.Array:
    if not _INTEGERS.issuperset(map(type, values)):
        raise TypeError
    return pa.array(values, pa.int32())


def _doubles(values: Sequence[Any]) -> pa.Array:
    if not _DOUBLES.issuperset(map(type, values)):
        raise TypeError
    return pa.array(values, pa.float64())


_INTEGERS = frozenset({int, type(None)})
_DOUBLES = frozenset({float, type(None)})
_ARRAYS: dict[Type, Callable[[Sequence[Any]], pa.Array]] = {
    Type.STRING: _texts,
    Type.INT: _integers,
    Type.DOUBLE: _doubles,
    Type.BOOLEAN: _booleans,
}


#: What an array of values of another kind raises.
_Unexpected = (TypeError, OverflowError, pa.ArrowInvalid, pa.ArrowTypeError)


# --- columns for filters, from the text of a collection ------------------------------------------


class _Derived:
    """The columns that repeat strings of one collection."""

    def __init__(self, columns: Sequence[Column], depth: int) -> None:
        self.columns = columns
        self._keys = [column.keys[depth:] for column in columns]
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_items_type(self._keys))
        self._known: dict[bytes, list[list[str] | None]] = {}

    def of(self, texts: Sequence[bytes]) -> list[list[list[str] | None]]:
        """Return the values of each column."""
        found = [self._of(text) for text in texts]
        return [list(column) for column in zip(*found, strict=True)] or [[] for _ in self.columns]

    def _of(self, text: bytes) -> list[list[str] | None]:
        if len(text) > _SHORT:
            return self._read(text)
        if text not in self._known:
            if len(self._known) > 10_000:  # noqa: PLR2004 - attackers may make all of them differ
                self._known.clear()
            self._known[text] = self._read(text)
        return self._known[text]

    def _read(self, text: bytes) -> list[list[str] | None]:
        if not text:
            return [None for _ in self._keys]
        try:
            items = self._decoder.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            value = parse_value(text)
            return [strings(value, keys) for keys in self._keys]
        return [_collected(items, keys) for keys in self._keys]


def _items_type(keys: Sequence[tuple[str, ...]]) -> Any:  # noqa: ANN401 - a type for msgspec
    if () in keys:
        return list[str | None]
    inner: dict[str, list[tuple[str, ...]]] = {}
    for path in keys:
        inner.setdefault(path[0], []).append(path[1:])
    fields = [
        (f"f_{name}", (str | None | UnsetType) if rest == [()] else _items_type(rest) | UnsetType, UNSET)
        for name, rest in inner.items()
    ]
    kind = msgspec.defstruct("Item", fields, rename={f"f_{name}": name for name in inner}, gc=False)
    return list[kind]  # type: ignore[valid-type]


def _collected(items: Sequence[Any], keys: tuple[str, ...]) -> list[str] | None:
    for key in keys:
        name = f"f_{key}"
        values = [value for item in items if (value := getattr(item, name)) is not UNSET]
        items = [inner for value in values for inner in value] if values and isinstance(values[0], list) else values
    return [item for item in items if item is not None] if items else None


@cache
def _derived(stream: Stream) -> dict[str, _Derived]:
    """Return the path of each collection and the columns that repeat a part of it."""
    found: dict[str, list[Column]] = {}
    for column in stream.columns:
        if column.is_derived:
            found.setdefault(_collection_of(stream, column), []).append(column)
    return {path: _Derived(columns, len(path.split("."))) for path, columns in found.items()}


def _collection_of(stream: Stream, column: Column) -> str:
    paths = [stored.path for stored in stream.stored_columns if stored.type is Type.JSON]
    return next(path for path in paths if column.path == path or column.path.startswith(f"{path}."))
