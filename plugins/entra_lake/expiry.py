"""Take days out of Athena's catalogue that the bucket's lifecycle rules have removed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from entra_lake.aws import map_error
from entra_lake.lake import Lake
from entra_lake.layout import partition_prefix
from entra_lake.schema import Stream
from entra_lake.slices import parse_day
from entra_lake.sql import render

#: Partitions that one run drops at most: the first run after retention was set does not last for hours.
MOST_DROPPED = 100

log = logging.getLogger(__name__)


def drop_expired(lake: Lake, stream: Stream) -> list[date]:
    """Drop the partitions of days older than `keep_days` of which nothing is left in the lake.

    Entra Lake deletes no object itself: lifecycle rules do, and leave partitions behind that hold no rows.

    :returns: the days dropped, oldest first.
    """
    if not lake.settings.keep_days:
        return []
    first_kept = lake.clock.now().date() - timedelta(days=lake.settings.keep_days)
    dropped: list[date] = []
    for day in sorted(_registered(lake, stream, first_kept)):
        if len(dropped) == MOST_DROPPED:
            break
        if next(lake.store.list(partition_prefix(stream, day)), None) is None:
            _drop(lake, stream, day)
            dropped.append(day)
    return dropped


def _registered(lake: Lake, stream: Stream, before: date) -> Iterator[date]:
    names = {"DatabaseName": lake.settings.database, "TableName": stream.history_table}
    try:
        pages = lake.glue.get_paginator("get_partitions").paginate(
            **names, Expression=f"dt < '{before}'", ExcludeColumnSchema=True
        )
        for page in pages:
            for partition in page["Partitions"]:
                yield parse_day(partition["Values"][0])
    except (BotoCoreError, ClientError) as error:
        raise map_error(error, f"partitions of Glue table {stream.history_table}") from error


def _drop(lake: Lake, stream: Stream, day: date) -> None:
    names = {"database": lake.settings.database, "table": stream.history_table}
    lake.athena.run(render("tables/drop_partition.sql", **names, day=day))
    log.info("%s %s: lifecycle rules have removed the day; its partition is dropped.", stream.name, day)
