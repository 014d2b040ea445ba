"""Columns for filters: strings that repeat a part of a collection, taken from the collection's text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from msgspec import UNSET, UnsetType

from entra_lake.arrow import ARROW_TYPES
from entra_lake.flatten import strings
from entra_lake.schema import Column, Stream, Type
from entra_lake.structs import parse_value

FilterCells = list[list[str] | None]
Keys = tuple[str, ...]
Numbers = npt.NDArray[np.int64]

_REFUSED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Derived:
    """The columns that repeat strings of one collection."""

    def __init__(self, columns: Sequence[Column], depth: int) -> None:
        self.columns = columns
        self._keys = [column.keys[depth:] for column in columns]
        self._decoder: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(_items_type(self._keys))

    def arrays(self, texts: Sequence[bytes], given: Mapping[int, FilterCells]) -> dict[str, pa.Array]:
        """Return each column of the collections with these texts; an empty text is none.

        :param given: cells of records that were read in another way.
        """
        read = self._read(texts)
        cells = dict(given)
        for place, items in enumerate(read):
            if items is None and place not in cells:
                value = parse_value(texts[place])
                cells[place] = [strings(value, keys) for keys in self._keys]
        items = [found if place not in cells and found else [] for place, found in enumerate(read)]
        arrays = {column.name: _array(items, keys) for column, keys in zip(self.columns, self._keys, strict=True)}
        return _put(arrays, cells) if cells else arrays

    def _read(self, texts: Sequence[bytes]) -> Sequence[list[Any] | None]:
        """Return each collection's items; None where they are of another kind."""
        try:
            return list(map(self._decoder.decode, texts))
        except _REFUSED:
            return list(map(self._read_alone, texts))

    def _read_alone(self, text: bytes) -> list[Any] | None:
        try:
            return self._decoder.decode(text) if text else []
        except _REFUSED:
            return None


@cache
def derived_of(stream: Stream) -> dict[str, Derived]:
    """Return the path of each collection that columns for filters repeat, and those columns."""
    found: dict[str, list[Column]] = {}
    for column in stream.derived_columns:
        found.setdefault(collection_of(stream, column), []).append(column)
    return {path: Derived(columns, len(path.split("."))) for path, columns in found.items()}


def collection_of(stream: Stream, column: Column) -> str:
    """Return the path of the stored collection that a column for filters repeats a part of."""
    paths = [stored.path for stored in stream.stored_columns if stored.type is Type.JSON]
    return next(path for path in paths if f"{column.path}.".startswith(f"{path}."))


def _items_type(keys: Sequence[Keys]) -> Any:  # noqa: ANN401 - a type for msgspec
    if () in keys:
        return list[str | None]
    inner: dict[str, list[Keys]] = {}
    for path in keys:
        inner.setdefault(path[0], []).append(path[1:])
    fields = [
        (f"f_{name}", (str | None | UnsetType) if rest == [()] else _items_type(rest) | UnsetType, UNSET)
        for name, rest in inner.items()
    ]
    kind = msgspec.defstruct("Item", fields, rename={f"f_{name}": name for name in inner}, gc=False)
    return list[kind]  # type: ignore[valid-type]


def _array(collections: Sequence[list[Any]], keys: Keys) -> pa.Array:
    """Return, for each collection, the strings at the end of the path; NULL where it leads nowhere."""
    values, places = _spread(collections, np.arange(len(collections)))
    for key in keys:
        values = list(map(attrgetter(f"f_{key}"), values))
        if UnsetType in set(map(type, values)):
            there = [number for number, value in enumerate(values) if value is not UNSET]
            values, places = [values[number] for number in there], places[there]
        if values and type(values[0]) is list:
            values, places = _spread(values, places)
    nowhere = np.bincount(places, minlength=len(collections)) == 0
    if None in values:
        there = [number for number, value in enumerate(values) if value is not None]
        values, places = [values[number] for number in there], places[there]
    offsets = np.zeros(len(collections) + 1, dtype=np.int32)
    np.cumsum(np.bincount(places, minlength=len(collections)), out=offsets[1:])
    return pa.ListArray.from_arrays(offsets, pa.array(values, pa.string()), mask=pa.array(nowhere))


def _spread(lists: Sequence[list[Any]], places: Numbers) -> tuple[list[Any], Numbers]:
    """Return the items of lists one behind the other, and the place that each belongs to."""
    return list(chain.from_iterable(lists)), np.repeat(places, np.fromiter(map(len, lists), np.int64, count=len(lists)))


def _put(arrays: dict[str, pa.Array], cells: Mapping[int, FilterCells]) -> dict[str, pa.Array]:
    """Put cells into columns."""
    found = {}
    for position, (name, array) in enumerate(arrays.items()):
        others = pa.array([row[position] for row in cells.values()], ARROW_TYPES[Type.STRINGS])
        places = np.arange(len(array))
        places[list(cells)] = len(array) + np.arange(len(others))
        found[name] = pa.concat_arrays([array, others]).take(pa.array(places))
    return found
