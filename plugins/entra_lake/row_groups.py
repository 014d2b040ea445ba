"""Windows of rows joined to row groups: as large as memory allows, for each group repeats the names that it holds.

Where the stream says so, the rows of a user stand together: a question that counts users then reads a number for each
user, and not for each record. A large day goes over disk first, so that each user stands in one group of it
(docs/adr/0018). Otherwise groups stand in the order of events.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from entra_lake.group_columns import Numbers, Texts, Values
from entra_lake.stretches import Stretches

#: Of memory while a group waits for more rows.
ROW_GROUP_BYTES = 32 * 1024 * 1024
#: A footer grows with its row groups, and readers load it whole: large days get larger groups.
MOST_ROW_GROUPS = 90
#: A day of more rows goes over disk. Of sign-ins, a group's memory holds some four fifths of these.
LARGE_DAY_ROWS = 125_000
#: Of a large day's rows on their way to disk: writing them takes about as much again.
SPILLED_BYTES = 16 * 1024 * 1024
#: Of a large day those rows that become one group: as they fit in its memory, for each user's stand together.
STRETCH_ROWS = 64_000
#: Of windows as they came, whose texts stand once in each of them only.
WAITING_BYTES = 8 * 1024 * 1024
#: A group that is fuller than this when its texts stand once is not worth waiting for more.
_NEARLY_FULL = 0.9


def row_groups(
    windows: Iterator[pa.Table],
    records: int,
    schema: pa.Schema,
    together: Sequence[str] = (),
    folder: Path | None = None,
) -> Iterator[pa.Table]:
    """Join windows: to enough memory, and so many rows that a large day has few groups.

    :param records: of the day: how many rows there will be at most.
    :param schema: of the groups; a dictionary is a column of texts that repeat, whatever the windows have.
    :param together: columns of such texts: rows that have them in common stand together; else they stand as they came.
    :param folder: where the rows of a large day wait; None: in the system's temporary folder.
    """
    least = records // MOST_ROW_GROUPS
    if not together or records <= LARGE_DAY_ROWS:
        yield from _joined(windows, ROW_GROUP_BYTES, least, schema, together)
        return
    least *= 2  # where memory fills early, a stretch is more than one group
    with Stretches(together[0], -(-records // max(STRETCH_ROWS, least)), folder) as stretches:
        for rows in _joined(windows, SPILLED_BYTES, 0, schema, ()):
            stretches.add(rows)
            del rows  # or it would be in memory beside the next ones
        for stretch in stretches:
            yield from _joined(stretch, ROW_GROUP_BYTES, least, schema, together)


def _joined(
    windows: Iterator[pa.Table], most_bytes: int, least: int, schema: pa.Schema, together: Sequence[str]
) -> Iterator[pa.Table]:
    """Join windows until they fill so much memory, and are at least so many rows."""
    group = _Group(schema, together)
    for table in windows:
        group.add(table)
        if group.size >= most_bytes and group.rows >= least:
            group.join()
            if group.size >= _NEARLY_FULL * most_bytes:
                yield group.finish()
                group = _Group(schema, together)
    if group.rows:
        yield group.finish()


class _Group:
    """The rows of one row group, as long as it grows.

    :ivar rows: how many there are.
    :ivar size: the memory that they take, in bytes.
    """

    def __init__(self, schema: pa.Schema, together: Sequence[str]) -> None:
        self.rows = self.size = 0
        self._schema = schema
        self._together = together
        self._columns = {
            field.name: Texts() if pa.types.is_dictionary(field.type) else Values(field.type) for field in schema
        }
        self._waiting: list[pa.Table] = []
        self._waiting_bytes = 0

    def add(self, table: pa.Table) -> None:
        self._waiting.append(table)
        self._waiting_bytes += table.nbytes
        self.rows += table.num_rows
        self.size += table.nbytes
        if self._waiting_bytes >= WAITING_BYTES:
            self.join()

    def join(self) -> None:
        """Take the windows' columns, so that a text stands once in the group."""
        tables, self._waiting, self._waiting_bytes = self._waiting, [], 0
        if not tables:
            return
        for name, column in self._columns.items():
            column.add([chunk for table in tables for chunk in table[name].chunks])
        self.size = sum(column.size for column in self._columns.values())

    def finish(self) -> pa.Table:
        """Return the group; nothing is left here, so that there is one of it in memory, and a column twice."""
        self.join()
        order = self._order()
        largest_first = sorted(self._schema.names, key=lambda name: self._columns[name].size, reverse=True)
        finished = {name: self._columns.pop(name).finish(order) for name in largest_first}
        return pa.Table.from_arrays([finished[name] for name in self._schema.names], schema=self._schema)

    def _order(self) -> Numbers | None:
        keys = [column.numbers() for name in self._together if isinstance(column := self._columns[name], Texts)]
        return np.lexsort(keys[::-1]) if keys else None
