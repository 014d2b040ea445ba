"""A few whole rows of a large object, without the memory that whole row groups would take."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from entra_lake.known_rows import Numbers

#: Of one column, decoded at one time. A text that stands once for many rows counts once.
BATCH_BYTES = 2 * 1024 * 1024


def read_few(file: pq.ParquetFile, rows: Numbers, columns: Sequence[str]) -> pa.Table:
    """Return these rows, once each and in the order of the object.

    Each row group that holds one is decoded column by column, so that many rows cost as much as one.

    :param file: opened with `read_dictionary` of columns whose texts repeat, it is read many times faster.
    """
    wanted, tables = np.unique(rows), []
    for group, (first, end) in enumerate(pairwise(first_rows(file))):
        inside = wanted[(wanted >= first) & (wanted < end)] - first
        if len(inside):
            tables.append(pa.table({name: _take(file, group, name, inside) for name in columns}))
    return pa.concat_tables(tables)


def first_rows(file: pq.ParquetFile) -> list[int]:
    """Return at which row each row group begins, and how many rows there are."""
    sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    return [0, *accumulate(sizes)]


def _take(file: pq.ParquetFile, group: int, column: str, rows: Numbers) -> pa.ChunkedArray:
    taken, first = [], 0
    for batch in file.iter_batches(_batch_rows(file, group, column), row_groups=[group], columns=[column]):
        start, end = np.searchsorted(rows, (first, first + len(batch)))
        if start < end:
            taken.append(_plain(batch.column(0).take(pa.array(rows[start:end] - first))))
        first += len(batch)
    return pa.chunked_array(taken)


def _batch_rows(file: pq.ParquetFile, group: int, column: str) -> int:
    facts = file.metadata.row_group(group).column(file.schema_arrow.get_field_index(column))
    return max(1, int(facts.num_values * BATCH_BYTES // max(1, facts.total_uncompressed_size)))


def _plain(values: pa.Array) -> pa.Array:
    """Return the values alone: those of a dictionary would keep all that it holds in memory."""
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
