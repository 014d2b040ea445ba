"""Lines of raw as cells of the lake: columns, ids and event times of many records at once, each line looked at once.

A piece is small enough for its objects to stay in the processor's cache, and is Arrow memory before the next is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import le
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from entra_lake.arrow import encoded, equally_long, record_schema, repeated_columns
from entra_lake.columns import flat_columns
from entra_lake.flatten import parse_time
from entra_lake.identity import locate
from entra_lake.shape import Line, Shape
from entra_lake.structs import Struct

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
_T = TypeVar("_T")

#: Lines that are read at one time: fewer cost calls, more leave the cache.
PIECE_RECORDS = 2_500

#: Arrow reads times of this type where they stand in Graph's form; nearer to year 1 and 9999 it does not.
_NANOSECONDS = pa.timestamp("ns", "UTC")
_MS_IN_NS = 1_000_000
_ANY_TIME = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Cells:
    """What was read of some lines, side by side, in the order of event time and id.

    :param batch: the record's own columns, `record_sha256` and `extra_json`.
    :param ids: Graph's id, or `sha256:…` of the content.
    :param times: event times; the day's start where a record names none that can be read.
    :param timed: where a record names a time that can be read.
    """

    lines: list[Line]
    batch: pa.RecordBatch
    ids: list[str]
    times: Numbers
    timed: Flags


def read_cells(lines: Sequence[Line], hashes: Sequence[bytes], shape: Shape, day_start: int) -> Iterator[Cells]:
    """Read lines, piece by piece.

    :param hashes: the SHA-256 of each line.
    """
    for start in range(0, len(lines), PIECE_RECORDS):
        piece = lines[start : start + PIECE_RECORDS]
        # Nothing here holds the structs: those of two pieces at one time would take twice the memory.
        yield _cells(piece, hashes[start : start + PIECE_RECORDS], shape.read_quickly(piece), shape, day_start)


def _chosen(values: Sequence[_T], places: Sequence[int]) -> list[_T]:
    return [values[place] for place in places]


def _cells(
    lines: Sequence[Line], hashes: Sequence[bytes], structs: Sequence[Struct | None], shape: Shape, day_start: int
) -> Cells:
    names, times, timed = _names_and_times(lines, structs, shape, day_start)
    ids = [name or f"sha256:{sha256.hex()}" for name, sha256 in zip(names, hashes, strict=True)]
    order = in_order(times, ids)
    if order is not None:  # now, while a record is one object, and not sixty cells
        places = order.tolist()
        lines, hashes, ids = _chosen(lines, places), _chosen(hashes, places), _chosen(ids, places)
        structs, times, timed = _chosen(structs, places), times[order], timed[order]
    flat = flat_columns(lines, structs, ids, shape)
    columns = {
        **flat.columns,
        "record_sha256": equally_long(b"".join(hashes).hex(), len(lines)),
        "extra_json": pa.array(flat.extra, pa.string()),
    }
    schema = record_schema(shape.stream)
    columns |= {name: encoded(columns[name]) for name in repeated_columns(shape.stream)}
    batch = pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)
    return Cells(list(lines), batch, ids, times, timed)


def in_order(times: Numbers, ids: Sequence[str]) -> Numbers | None:
    """Return the places of records in the order of event time and id; None where they stand in it."""
    keys = list(zip(times.tolist(), ids, strict=True))
    if all(map(le, keys, keys[1:])):
        return None
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)


def _names_and_times(
    lines: Sequence[Line], structs: Sequence[Struct | None], shape: Shape, day_start: int
) -> tuple[list[str | None], Numbers, Flags]:
    """Return usable ids, None for none, and when and whether each record says that it happened."""
    refused = [place for place, item in enumerate(structs) if item is None]
    located = [locate(bytes(lines[place]), shape.stream) for place in refused]
    readable = structs
    if refused:
        readable = [shape.node.absent if item is None else item for item in structs]
    names: list[str | None] = list(map(shape.get_id, readable))
    if set(map(type, names)) != {str}:
        names = [name if isinstance(name, str) else None for name in names]
    texts: list[object] = list(map(shape.get_time, readable))
    for place in refused:
        texts[place] = _ANY_TIME
    times, timed = parse_times(texts, day_start)
    for place, (name, moment) in zip(refused, located, strict=True):
        names[place], timed[place] = name, moment is not None
        times[place] = day_start if moment is None else moment
    return names, times, timed


def parse_times(texts: Sequence[object], day_start: int) -> tuple[Numbers, Flags]:
    """Return where in the day each record is kept, and whether its time can be read: `parse_time`, many at once."""
    try:
        moments = pa.array(texts, pa.string()).cast(_NANOSECONDS)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        pass
    else:
        if not moments.null_count:
            nanoseconds: Numbers = moments.cast(pa.int64()).to_numpy()
            return nanoseconds // _MS_IN_NS, np.ones(len(texts), dtype=bool)
    known = {text: parse_time(text) for text in set(texts)}
    found = [known[text] for text in texts]
    times = np.array([day_start if moment is None else moment for moment in found], dtype=np.int64)
    return times, np.array([moment is not None for moment in found], dtype=bool)
