"""What the lake already holds of a day, so that a pass writes only news.

Of each row 6 bytes are kept: a short number of its id, the row group that it stands in, and what was listed of it.
Hashes are read when a listing comes to their row group, and only those of a few groups are kept: a listing goes through
its slice in the order of time, in which rows stand. Numbers of ids may collide; then the contents differ and the record
is written, never left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from itertools import accumulate

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from entra_lake.flatten import unflatten
from entra_lake.identity import Identity, canonical
from entra_lake.known_rows import NO_NUMBERS, Index, Numbers, RowGroup, RowGroups, hash_numbers, id_numbers, pairs
from entra_lake.schema import Stream
from entra_lake.windows import place

#: Bits of what was listed of a row's id.
_LISTED, _LATEST_LISTED = 1, 2
#: Rows that are decoded at one time to look at whole records.
_BATCH_ROWS = 2_048


class Standing(IntEnum):
    """What the lake knows of a listed record; of several rows of its id, the greatest counts."""

    NEW = 0  # the id is unknown
    CHANGED = 1  # the id is known, the content is not
    OLDER = 2  # a content that was observed before the latest one
    LATEST = 3


_STANDINGS = tuple(Standing)


class Known:
    """The rows of a day's object, to compare listed records with.

    :param file: the object; None when there is none.
    """

    def __init__(self, file: pq.ParquetFile | None, day_start: int) -> None:
        self._file = file
        self._day_start = day_start
        self._groups = RowGroups(file) if file else None
        sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)] if file else []
        self._first_rows = [0, *accumulate(sizes)]
        self._index = Index.of(file) if file else Index.nothing()
        self._listed = np.zeros(self._first_rows[-1], dtype=np.uint8)

    @classmethod
    def nothing(cls) -> Known:
        """Return what is known of a day that was never read."""
        return cls(None, 0)

    def compare(self, identities: Sequence[Identity]) -> list[Standing]:
        """Return each record's standing; note its id as listed."""
        numbers = id_numbers([identity.id for identity in identities])
        hashes = hash_numbers([identity.sha256 for identity in identities])
        standings = np.zeros(len(identities), dtype=np.int8)
        for number, group, chosen in self._groups_with(numbers):
            records, places = pairs(group.ids, numbers[chosen])
            records = chosen[records]
            same = (group.hashes[places] == hashes[records]).all(axis=1)
            found = np.where(same, Standing.OLDER + group.latest[places], Standing.CHANGED)
            np.maximum.at(standings, records, found.astype(np.int8))
            rows = self._first_rows[number] + group.rows[places]
            self._listed[rows] |= _LISTED
            self._listed[rows[found == Standing.LATEST]] |= _LATEST_LISTED
        return [_STANDINGS[standing] for standing in standings.tolist()]

    def note_latest(self, identity: Identity) -> None:
        """Note that the latest content of this id was listed, in other bytes."""
        self._listed[self._rows_of(identity)] |= _LATEST_LISTED

    def has_listed_latest(self, identity: Identity) -> bool:
        """Tell whether the listing held the latest content of this id, too."""
        return bool((self._listed[self._rows_of(identity)] & _LATEST_LISTED).any())

    def count_missing(self, start: int, end: int) -> int:
        """Return how many known ids with an event in `[start, end)` ms were not listed."""
        return sum(self._count_missing(number, start, end) for number in range(len(self._first_rows) - 1))

    def contents(self, stream: Stream, ids: Iterable[str]) -> dict[str, dict[str, bool]]:
        """Return the canonical contents that the object holds of these ids, and which is the latest.

        :returns: id to content to whether it is the latest.
        """
        found: dict[str, dict[str, bool]] = {}
        wanted = sorted(set(ids))
        numbers = [number for number, _ in self._index.find(id_numbers(wanted))]
        if self._file is None or not numbers:
            return found
        names = pa.array(wanted, pa.string())
        for batch in self._file.iter_batches(_BATCH_ROWS, row_groups=numbers):
            for row in batch.filter(pc.is_in(batch["id"], names)).to_pylist():
                found.setdefault(row["id"], {})[canonical(unflatten(row, stream))] = row["is_latest"]
        return found

    def _groups_with(self, numbers: Numbers) -> Iterator[tuple[int, RowGroup, Numbers]]:
        for number, chosen in self._index.find(numbers):
            if self._groups:
                yield number, self._groups.get(number), chosen

    def _rows_of(self, identity: Identity) -> Numbers:
        number = id_numbers([identity.id])
        rows = [
            self._first_rows[at] + group.rows[pairs(group.ids, number)[1]] for at, group, _ in self._groups_with(number)
        ]
        return np.concatenate([*rows, NO_NUMBERS])

    def _count_missing(self, number: int, start: int, end: int) -> int:
        if self._file is None or not _may_lie_in(self._file, number, start, end):
            return 0
        table = self._file.read_row_group(number, columns=["event_time", "is_latest"])
        times = pc.fill_null(table["event_time"].cast(pa.int64()), place(None, self._day_start)).to_numpy()
        is_listed = (self._listed[self._first_rows[number] : self._first_rows[number + 1]] & _LISTED).astype(bool)
        return int((table["is_latest"].to_numpy() & (times >= start) & (times < end) & ~is_listed).sum())


def _may_lie_in(file: pq.ParquetFile, number: int, start: int, end: int) -> bool:
    """Tell whether a row group may hold an event in `[start, end)` ms; those without a time lie at the day's start."""
    column = file.schema_arrow.get_field_index("event_time")
    facts = file.metadata.row_group(number).column(column).statistics
    if not facts or not facts.has_min_max or facts.null_count:
        return True
    return bool(facts.min_raw < end and facts.max_raw >= start)
