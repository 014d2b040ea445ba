"""Structs to Arrow columns, whole columns at a time; equal, cell by cell, to what `flatten` gives each record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from msgspec import UNSET

from entra_lake.arrow import ARROW_TYPES
from entra_lake.filters import derived_of
from entra_lake.flatten import Row, hold, replace_id
from entra_lake.odd import Leftovers, Path
from entra_lake.schema import Column, Stream, Type, Variety
from entra_lake.shape import Line, Shape, slow_row
from entra_lake.structs import NO_TEXT, Node, Struct

Flags = npt.NDArray[np.bool_]
#: Of two texts that are equal in every so manieth byte, the rest is compared.
_SAMPLED = 61


@dataclass
class Flat:
    """The stream's own columns of some records, and `extra_json` of each."""

    columns: dict[str, pa.Array]
    extra: list[str | None]


def flat_columns(lines: Sequence[Line], structs: Sequence[Struct | None], ids: Sequence[str], shape: Shape) -> Flat:
    """Return what `flatten` gives for each record, column by column.

    :param structs: what `shape` has read of each line; None where `flatten` must take it.
    :param ids: what stands for each record's id.
    """
    get_id, plain = shape.get_id, shape.node.plain
    odd = [place for place, item in enumerate(structs) if type(item) is not plain]
    slow = [place for place in odd if structs[place] is None or get_id(structs[place]) != ids[place]]
    rows = {place: _slow_row(bytes(lines[place]), ids[place], shape.stream) for place in slow}
    whole = {place: shape.of_row(rows[place]) if place in rows else shape.renew(structs[place]) for place in odd}
    return _flat(_with_each(structs, whole), shape, odd, rows)


def _flat(structs: Sequence[Struct], shape: Shape, odd: Sequence[int], rows: Mapping[int, Row]) -> Flat:
    """Return the columns of structs; those of some odd places are given as rows."""
    walk = _Walk(len(structs), shape, odd)
    walk.object(structs, shape.node, ())
    columns = walk.columns
    for path, derived in derived_of(shape.stream).items():
        given = {place: [row[column.name] for column in derived.columns] for place, row in rows.items()}
        columns.update(derived.arrays(walk.texts[path], given))
    extra: list[str | None] = [None] * len(structs)
    for place in walk.leftovers.rows - rows.keys():
        extra[place] = walk.leftovers.text(place)
    for place, row in rows.items():
        extra[place] = row["extra_json"]
    return Flat(columns, extra)


def _slow_row(line: bytes, record_id: str, stream: Stream) -> Row:
    row = slow_row(line, stream)
    if row["id"] != record_id:
        replace_id(row, record_id)
    return row


class _Walk:
    """A walk over the objects of many records at once."""

    def __init__(self, size: int, shape: Shape, odd: Sequence[int]) -> None:
        self._size = size
        self._odd = odd  # only these leave something out
        self.columns: dict[str, pa.Array] = {}
        self.texts: dict[str, list[bytes]] = {}
        self.leftovers = Leftovers(shape)

    def object(self, items: Sequence[Struct], node: Node, path: Path) -> Flags | None:
        """Make the columns of an object; return where all of them are NULL, None for nowhere."""
        flat = list(chain.from_iterable(map(msgspec.structs.astuple, items)))
        width = len(node.names)
        values = [flat[number::width] for number in range(width)]
        arrays = [self._column(values[number], column, path) for number, column in node.columns]
        inside = [self._inner(values[number], inner, (*path, node.names[number])) for number, inner in node.objects]
        for number, name in node.learned:
            for place, text in enumerate(values[number]):
                if text is not NO_TEXT and (content := bytes(text)):
                    self.leftovers.note_text(place, (*path, name), content)
        if any(array.null_count == 0 for array in arrays) or any(empty is None for empty in inside):
            return None
        nulls = [array.is_null().to_numpy(zero_copy_only=False) for array in arrays if array.null_count < len(array)]
        empty: Flags = np.logical_and.reduce([np.ones(len(items), dtype=bool), *nulls, *inside])
        return empty if empty.any() else None

    def _inner(self, items: Sequence[Struct], node: Node, path: Path) -> Flags | None:
        """Make the columns of an object inside another one; return where all of them are NULL."""
        kinds = set(map(type, items))
        if kinds == {type(None)}:
            self._nulls(node)
            return np.ones(len(items), dtype=bool)
        gone: Flags | None = None
        if not kinds <= node.kinds:
            own = node.kinds
            suspects = range(len(items)) if type(None) in kinds else self._odd
            places = [place for place in suspects if type(items[place]) not in own]
            self.leftovers.note_absent((place for place in places if items[place] is UNSET), path)
            gone = np.zeros(len(items), dtype=bool)
            gone[places] = True
            items = _with(items, places, node.absent)
        empty = self.object(items, node, path)
        if empty is not None:
            hollow = empty if gone is None else empty & ~gone
            for place in np.flatnonzero(hollow).tolist():  # its columns alone would stand for null
                self.leftovers.note_whole(place, path, node, items[place])
        return empty

    def _nulls(self, node: Node) -> None:
        for _, column in node.columns:
            self.columns[column.name] = pa.nulls(self._size, ARROW_TYPES[column.type])
            if column.type is Type.JSON:
                self.texts[column.path] = [b""] * self._size
        for _, inner in node.objects:
            self._nulls(inner)

    def _column(self, values: Sequence[Any], column: Column, path: Path) -> pa.Array:
        if column.type is Type.JSON:
            array = self._collection(values, column, path)
        else:
            array = self._scalar(values, column, (*path, column.keys[-1]))
        self.columns[column.name] = array
        return array

    def _scalar(self, values: Sequence[Any], column: Column, path: Path) -> pa.Array:
        if column.optional:
            for place in [number for number, value in enumerate(values) if value is None]:
                self.leftovers.note(place, path, None)
            values = [None if value is UNSET else value for value in values]
        try:
            return _ARRAYS[column.type](values)
        except _Unexpected:
            values = self._without_gaps(values, path)
        try:
            return _ARRAYS[column.type](values)
        except _Unexpected:
            return self._held(values, column, path)

    def _without_gaps(self, values: Sequence[Any], path: Path) -> Sequence[Any]:
        """Put None for members that are left out, and note their records."""
        places = [place for place in self._odd if values[place] is UNSET]
        self.leftovers.note_absent(places, path)
        return _with(values, places, None)

    def _held(self, values: Sequence[Any], column: Column, path: Path) -> pa.Array:
        """Make a column some of whose numbers are of another kind than the column's."""
        usual = _USUAL[column.type]
        cells = list(values)
        for place in [number for number, kind in enumerate(map(type, values)) if kind not in usual]:
            cells[place], is_exact = hold(column, values[place])
            if not is_exact:
                self.leftovers.note(place, path, values[place])
        return pa.array(cells, ARROW_TYPES[column.type])

    def _collection(self, values: Sequence[Any], column: Column, path: Path) -> pa.Array:
        is_unique = column.variety is Variety.EACH
        texts, numbers = (list(map(bytes, values)), range(len(values))) if is_unique else _distinct(values)
        self.texts[column.path] = [texts[number] for number in numbers]
        cells: Sequence[bytes | None] = texts
        if {text[:1] for text in texts} != {b"["}:
            self._note_odd(texts, numbers, column, path)
            cells = [text if text.startswith(b"[") else None for text in texts]
        return pa.array(cells, pa.string()) if is_unique else _dictionary(cells, numbers)

    def _note_odd(self, texts: Sequence[bytes], numbers: Sequence[int], column: Column, path: Path) -> None:
        """Note what stands in the place of a collection and is none."""
        usual = b"" if column.optional else b"null"
        odd = {number for number, text in enumerate(texts) if text != usual and not text.startswith(b"[")}
        for place in [place for place, number in enumerate(numbers) if number in odd] if odd else ():
            self.leftovers.note_text(place, (*path, column.keys[-1]), texts[numbers[place]])


def _distinct(values: Iterable[Any]) -> tuple[list[bytes], Sequence[int]]:
    """Return each text once, and the number of the one that stands in each place.

    Collections are long and repeat: all of them at once would not stay in the processor's cache, and to hash each would
    take longer than to compare it with the last one that looks like it.
    """
    numbers: dict[bytes, int] = {}
    alike: dict[bytes, tuple[bytes, int]] = {}
    places = []
    for text in map(bytes, values):
        sample = text[::_SAMPLED]
        known = alike.get(sample)
        if known is None or known[0] != text:
            known = alike[sample] = text, numbers.setdefault(text, len(numbers))
        places.append(known[1])
    return list(numbers), places


def _dictionary(texts: Sequence[bytes | None], numbers: Sequence[int]) -> pa.Array:
    """Return a column of texts that stand once each; None is NULL wherever it stands."""
    indices = np.array(numbers, dtype=np.int32)
    if None not in texts:
        return pa.DictionaryArray.from_arrays(pa.array(indices), pa.array(texts, pa.string()))
    is_text = np.array([text is not None for text in texts])
    ranks = np.cumsum(is_text, dtype=np.int32) - 1
    held = pa.array([text for text in texts if text is not None], pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(ranks[indices], mask=~is_text[indices]), held)


def _with_each(values: Sequence[Any], others: Mapping[int, Any]) -> Sequence[Any]:
    """Return the values with others at some places."""
    if not others:
        return values
    changed = list(values)
    for place, value in others.items():
        changed[place] = value
    return changed


def _with(values: Sequence[Any], places: Sequence[int], value: Any) -> Sequence[Any]:  # noqa: ANN401
    """Return the values with another one at these places."""
    return _with_each(values, dict.fromkeys(places, value))


def _texts(values: Sequence[Any]) -> pa.Array:
    if values and values[0] is None and values.count(None) == len(values):
        return pa.nulls(len(values), pa.string())
    return pa.array(values, pa.string())


def _booleans(values: Sequence[Any]) -> pa.Array:
    return pa.array(values, pa.bool_())


def _integers(values: Sequence[Any]) -> pa.Array:
    if not _INTEGERS.issuperset(map(type, values)):
        raise TypeError
    return pa.array(values, pa.int32())


def _doubles(values: Sequence[Any]) -> pa.Array:
    if not _USUAL[Type.DOUBLE].issuperset(map(type, values)):
        raise TypeError
    return pa.array(values, pa.float64())


_INTEGERS = frozenset({int, type(None)})
_ARRAYS: dict[Type, Callable[[Sequence[Any]], pa.Array]] = {
    Type.STRING: _texts,
    Type.INT: _integers,
    Type.DOUBLE: _doubles,
    Type.BOOLEAN: _booleans,
}
#: Python types that a column of numbers takes as they are; integers must also be of 32 bits.
_USUAL: dict[Type, frozenset[type]] = {
    Type.INT: frozenset({type(None)}),
    Type.DOUBLE: frozenset({float, type(None)}),
}
#: What an array of values of another kind raises.
_Unexpected = (TypeError, OverflowError, pa.ArrowInvalid, pa.ArrowTypeError)
