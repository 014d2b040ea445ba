"""Columns of a row group while it grows: in as little memory as they can be added to."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from entra_lake.arrow import NO_TEXTS

Numbers = npt.NDArray[Any]


@lru_cache(maxsize=1)
def _no_places(count: int) -> pa.Array:
    """Return so many NULLs: one for all columns of a group that hold nothing else."""
    return pa.nulls(count, pa.int32())


class Values:
    """A column of values as they are.

    :ivar size: the memory that it takes, in bytes.
    """

    def __init__(self, type_: pa.DataType) -> None:
        self.size = 0
        self._type = type_
        self._chunks: list[pa.Array] = []

    def add(self, chunks: Sequence[pa.Array]) -> None:
        """Put values behind those that are there."""
        piece = pa.concat_arrays(chunks)  # memory of few large pieces is of use to others when it is freed
        self._chunks.append(piece)
        self.size += piece.nbytes

    def finish(self, order: Numbers | None) -> pa.ChunkedArray:
        """Return the column, and forget it.

        :param order: places of the rows; None: as they were added.
        """
        chunks, self._chunks = self._chunks, []
        column = pa.chunked_array(chunks, self._type)
        return column if order is None else column.take(pa.array(order))


class Texts:
    """A column of texts each of which stands once: 1 to 4 bytes a row, and the texts.

    What is added waits until it holds as many texts as the column: to look each of them up takes a table of all others,
    and so there are few such tables, however many people a day has.
    """

    def __init__(self) -> None:
        self._texts: pa.Array = NO_TEXTS
        self._places: list[pa.Array] = []
        self._places_bytes = 0
        self._waiting: list[pa.DictionaryArray] = []

    @property
    def size(self) -> int:
        """Return the memory that it takes, in bytes."""
        waiting: int = sum(piece.nbytes for piece in self._waiting)
        return int(self._texts.nbytes) + self._places_bytes + waiting

    def add(self, chunks: Sequence[pa.Array]) -> None:
        """Put texts behind those that are there."""
        column = pa.chunked_array(chunks)
        encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        self._waiting.append(encoded.unify_dictionaries().combine_chunks())
        if sum(len(piece.dictionary) for piece in self._waiting) >= len(self._texts):
            self._settle()

    def numbers(self) -> Numbers:
        """Return a number for each row: equal texts, equal numbers."""
        found: Numbers = self._joined().fill_null(-1).to_numpy()
        return found

    def finish(self, order: Numbers | None) -> pa.DictionaryArray:
        """Return the column, and forget it.

        :param order: places of the rows; None: as they were added.
        """
        places = self._joined()
        self._places = []
        if not len(self._texts):
            return pa.DictionaryArray.from_arrays(_no_places(len(places)), self._texts)
        return pa.DictionaryArray.from_arrays(places if order is None else places.take(pa.array(order)), self._texts)

    def _joined(self) -> pa.Array:
        self._settle()
        return pa.concat_arrays([places.cast(pa.int32()) for places in self._places])

    def _settle(self) -> None:
        """Have the texts that wait stand once in the column."""
        if not self._waiting:
            return
        piece = pa.chunked_array(self._waiting).unify_dictionaries().combine_chunks()
        self._waiting = []
        if len(piece.dictionary):
            places = self._places_of(piece.dictionary).take(piece.indices)
        else:
            places = pa.nulls(len(piece), pa.uint8())
        self._places.append(places)
        self._places_bytes += places.nbytes

    def _places_of(self, texts: pa.Array) -> pa.Array:
        """Return where each text stands among those of the column, in as few bytes as do; note the new ones."""
        known = pc.index_in(texts, value_set=self._texts)
        places = known.fill_null(-1).to_numpy().copy()
        places[places < 0] = np.arange(len(self._texts), len(self._texts) + known.null_count)
        if known.null_count:
            self._texts = pa.concat_arrays([self._texts, texts.filter(known.is_null())])
        return pa.array(places.astype(np.min_scalar_type(len(self._texts))))
