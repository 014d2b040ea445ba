"""Where a day's events are likely to lie, from what the lake holds already: it only decides how the day is cut."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from entra_lake.cutting import Stretch, pieces_for
from entra_lake.errors import ConflictError, DataError
from entra_lake.footer import open_parquet, read_footer
from entra_lake.layout import lake_key
from entra_lake.schema import Stream
from entra_lake.slices import ONE_DAY, Slice
from entra_lake.store_protocol import Store
from entra_lake.windows import start_of_day

#: Days whose events lie as this day's do: the same one of the week before, else the day before.
NEIGHBOURS = (timedelta(days=7), timedelta(days=1))
_STRETCH = timedelta(minutes=1)
_COUNT = ONE_DAY // _STRETCH


def expect(store: Store, stream: Stream, day: date, file: pq.ParquetFile | None) -> list[Stretch]:
    """Return where the events lie by the day's own object, or by that of a week or a day before; [] if there is none.

    What a small day's object holds besides its number of rows is not read.

    :param file: the day's object; None when it was never read.
    """
    if file:
        return _stretches(file, stream, day, day)
    for ago in NEIGHBOURS:
        try:
            found = read_footer(store, lake_key(stream, day - ago))
            if found:
                return _stretches(open_parquet(store, found[1]), stream, day - ago, day)
        except (ConflictError, DataError):
            continue
    return []


def _stretches(file: pq.ParquetFile, stream: Stream, source: date, day: date) -> list[Stretch]:
    if pieces_for(file.metadata.num_rows / stream.page_size) == 1:
        return []
    counts = np.zeros(_COUNT, dtype=np.int64)
    start, length = start_of_day(source), int(_STRETCH.total_seconds()) * 1000
    for batch in file.iter_batches(columns=["event_time"]):
        times = pc.drop_null(batch.column(0).cast(pa.int64())).to_numpy()
        counts += np.bincount(np.clip((times - start) // length, 0, _COUNT - 1), minlength=_COUNT)
    begin = datetime.combine(day, datetime.min.time(), UTC)
    moments = [begin + _STRETCH * number for number in range(_COUNT + 1)]
    return [Stretch(Slice(moments[at], moments[at + 1]), float(count)) for at, count in enumerate(counts) if count]
