"""A day's whole way, from Graph to the manifest: the steps in their order, without Airflow."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from entra_lake.acknowledge import acknowledge
from entra_lake.crew import OnProgress
from entra_lake.errors import EntraLakeError
from entra_lake.extract import extract
from entra_lake.lake import Lake
from entra_lake.load import load, transform
from entra_lake.manifest import Manifest
from entra_lake.passes import PassReport
from entra_lake.schema import Stream
from entra_lake.tables import prepare, repair_partitions
from entra_lake.verify import partial_error

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What became of one day of one stream: a manifest, an error, or both when a part of the day is missing."""

    stream: Stream
    day: date
    report: PassReport | None = None
    manifest: Manifest | None = None
    error: EntraLakeError | None = None


def collect_day(
    lake: Lake, stream: Stream, day: date, run_id: str, on_progress: OnProgress = lambda _: None
) -> Outcome:
    """Take one day of one stream from Graph to its manifest.

    :raises EntraLakeError: the error of the step that failed; the same call goes on from there.
    """
    report = extract(lake, stream, day, run_id, on_progress)
    load(lake, stream, day, transform(lake, stream, day))
    repair_partitions(lake, stream, day)
    manifest = acknowledge(lake, stream, day)
    return Outcome(stream, day, report, manifest, partial_error(manifest))


def collect(
    lake: Lake,
    days: Iterable[date],
    run_id: str,
    on_progress: OnProgress = lambda _: None,
    streams: Iterable[Stream] | None = None,
) -> Iterator[Outcome]:
    """Take days to the lake, the one that expires first foremost; a failed day does not stop the others.

    :returns: the outcome of each stream and day as it is known.
    """
    prepare(lake)
    chosen = tuple(streams or lake.streams)
    for day in sorted(days):
        for stream in chosen:
            yield try_day(lake, stream, day, run_id, on_progress)


def try_day(lake: Lake, stream: Stream, day: date, run_id: str, on_progress: OnProgress = lambda _: None) -> Outcome:
    """Take one day of one stream to the lake as far as it goes; its error is part of the outcome."""
    try:
        return collect_day(lake, stream, day, run_id, on_progress)
    except EntraLakeError as error:
        log.error("%s %s: %s", stream.name, day, error)  # noqa: TRY400 - the message says all
        return Outcome(stream, day, error=error)
