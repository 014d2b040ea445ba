"""Windows of rows joined to row groups: as large as memory allows, for each group repeats the names that it holds."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

#: Of Arrow memory.
ROW_GROUP_BYTES = 16 * 1024 * 1024
#: A footer grows with its row groups, and readers load it whole: large days get larger groups.
MOST_ROW_GROUPS = 90
#: A group that is fuller than this when its texts stand once is not worth waiting for more.
_NEARLY_FULL = 0.9


def row_groups(windows: Iterator[pa.Table], records: int) -> Iterator[pa.Table]:
    """Join windows: to enough memory, and so many rows that a large day has few groups.

    :param records: of the day: how many rows there will be at most.
    """
    waiting: list[pa.Table] = []
    rows = size = 0
    for table in windows:
        waiting.append(table)
        rows, size = rows + table.num_rows, size + table.nbytes
        if size < ROW_GROUP_BYTES or rows < records // MOST_ROW_GROUPS:
            continue
        waiting = [_join(waiting)]
        size = _size(waiting[0])
        if size >= _NEARLY_FULL * ROW_GROUP_BYTES:
            yield waiting.pop()
            rows = size = 0
    if waiting:
        yield _join(waiting)


def _join(tables: list[pa.Table]) -> pa.Table:
    """Return one table with one dictionary a column: several would make Parquet's writer give up on dictionaries."""
    return pa.concat_tables(tables).unify_dictionaries()


def _size(table: pa.Table) -> int:
    """Return the memory of a joined table, whose chunks share their dictionaries."""
    return sum(_column_size(column) for column in table.columns)


def _column_size(column: pa.ChunkedArray) -> int:
    if not pa.types.is_dictionary(column.type) or not column.num_chunks:
        return int(column.nbytes)
    return int(column.chunk(0).dictionary.nbytes + len(column) * column.type.index_type.bit_width // 8)
