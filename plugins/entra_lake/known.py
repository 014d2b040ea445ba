"""What the lake already holds of a day, so that a pass writes only news.

Of each row memory holds one byte: what was listed of it. What listed records are compared with lies in a file on this
machine's disk, which grows with the day as the object itself does; whole records are decoded from the object.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from entra_lake.few_rows import first_rows, read_few
from entra_lake.flatten import unflatten
from entra_lake.identity import Identity, canonical
from entra_lake.known_rows import ROW, Numbers, Rows, hash_numbers, id_numbers, read_rows
from entra_lake.row_file import RowFile
from entra_lake.schema import EXTRA_COLUMN, Stream
from entra_lake.windows import place

#: Bits of what was listed of a row's id.
_LISTED, _LATEST_LISTED = 1, 2


class Standing(IntEnum):
    """What the lake knows of a listed record; of several rows of its id, the greatest counts."""

    NEW = 0  # the id is unknown
    CHANGED = 1  # the id is known, the content is not
    OLDER = 2  # a content that was observed before the latest one
    LATEST = 3


_STANDINGS = tuple(Standing)


class Known:
    """The rows of a day's object, to compare listed records with; used by one thread at a time, and closed.

    :param file: the object; None when there is none.
    :param folder: where a file is made; None: in the system's temporary folder.
    """

    def __init__(self, file: pq.ParquetFile | None, day_start: int, folder: Path | None = None) -> None:
        self._file = file
        self._day_start = day_start
        self._first_rows = first_rows(file) if file else [0]
        self._rows = RowFile.sort(read_rows(file), self._first_rows[-1], folder) if file else None
        self._listed = np.zeros(self._first_rows[-1], dtype=np.uint8)

    @classmethod
    def nothing(cls) -> Known:
        """Return what is known of a day that was never read."""
        return cls(None, 0)

    def close(self) -> None:
        """Remove the file."""
        if self._rows:
            self._rows.close()

    def compare(self, identities: Sequence[Identity]) -> list[Standing]:
        """Return each record's standing; note its id as listed."""
        hashes = hash_numbers([identity.sha256 for identity in identities])
        standings = np.zeros(len(identities), dtype=np.int8)
        places, rows = self._find([identity.id for identity in identities])
        same = (rows["hash"] == hashes[places]).all(axis=1)
        found = np.where(same, Standing.OLDER + rows["latest"], Standing.CHANGED).astype(np.int8)
        np.maximum.at(standings, places, found)
        self._listed[rows["row"]] |= _LISTED
        self._listed[rows["row"][found == Standing.LATEST]] |= _LATEST_LISTED
        return [_STANDINGS[standing] for standing in standings.tolist()]

    def first_rows_of(self, ids: Sequence[str]) -> Numbers:
        """Return the first row of each id that the object holds."""
        places, rows = self._find(ids)
        found = np.full(len(ids), self._first_rows[-1], dtype=np.int64)
        np.minimum.at(found, places, rows["row"].astype(np.int64))
        return found

    def note_latest(self, identity: Identity) -> None:
        """Note that the latest content of this id was listed, in other bytes."""
        self._listed[self._find([identity.id])[1]["row"]] |= _LATEST_LISTED

    def has_listed_latest(self, identity: Identity) -> bool:
        """Tell whether the listing held the latest content of this id, too."""
        return bool((self._listed[self._find([identity.id])[1]["row"]] & _LATEST_LISTED).any())

    def count_missing(self, start: int, end: int) -> int:
        """Return how many known ids with an event in `[start, end)` ms were not listed."""
        return sum(self._count_missing(number, start, end) for number in range(len(self._first_rows) - 1))

    def contents(self, stream: Stream, ids: Iterable[str]) -> dict[str, dict[str, bool]]:
        """Return the canonical contents that the object holds of these ids, and which is the latest.

        :returns: id to content to whether it is the latest.
        """
        found: dict[str, dict[str, bool]] = {}
        wanted = sorted(set(ids))
        rows = self._find(wanted)[1]["row"]
        if self._file is None or not len(rows):
            return found
        few = read_few(self._file, rows, _content_columns(stream))
        for row in few.filter(pc.is_in(few["id"], pa.array(wanted, pa.string()))).to_pylist():
            found.setdefault(row["id"], {})[canonical(unflatten(row, stream))] = row["is_latest"]
        return found

    def _find(self, ids: Sequence[str]) -> tuple[Numbers, Rows]:
        """Return pairs: the place of an id, and a row that has its number."""
        if self._rows is None:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=ROW)
        return self._rows.find(id_numbers(ids))

    def _count_missing(self, number: int, start: int, end: int) -> int:
        if self._file is None or not _may_lie_in(self._file, number, start, end):
            return 0
        table = self._file.read_row_group(number, columns=["event_time", "is_latest"])
        times = pc.fill_null(table["event_time"].cast(pa.int64()), place(None, self._day_start)).to_numpy()
        is_listed = (self._listed[self._first_rows[number] : self._first_rows[number + 1]] & _LISTED).astype(bool)
        return int((table["is_latest"].to_numpy() & (times >= start) & (times < end) & ~is_listed).sum())


def _content_columns(stream: Stream) -> list[str]:
    """Return the columns that a record's content is in, and what is asked of its row."""
    names = ("id", "is_latest", EXTRA_COLUMN.name, *(column.name for column in stream.stored_columns))
    return list(dict.fromkeys(names))


def _may_lie_in(file: pq.ParquetFile, number: int, start: int, end: int) -> bool:
    """Tell whether a row group may hold an event in `[start, end)` ms; those without a time lie at the day's start."""
    column = file.schema_arrow.get_field_index("event_time")
    facts = file.metadata.row_group(number).column(column).statistics
    if not facts or not facts.has_min_max or facts.null_count:
        return True
    return bool(facts.min_raw < end and facts.max_raw >= start)
