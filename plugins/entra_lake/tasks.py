"""What the tasks of the DAGs do: each a few lines over the library, in the context of an Airflow task.

Tasks hand on keys and counts, never records. What may be repeated is the library's business: every one
of these functions may run again and changes nothing the second time.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from airflow.sdk import Context, get_current_context
from airflow.sdk.exceptions import AirflowRescheduleException

from entra_lake import digest, examine, tables
from entra_lake import extract as extracting
from entra_lake import load as loading
from entra_lake import reconcile as reconciling
from entra_lake import verify as verifying
from entra_lake import watch as watching
from entra_lake.alerts import BEGAN
from entra_lake.concerns import Kind
from entra_lake.coverage_text import sentence
from entra_lake.errors import ThrottledError
from entra_lake.failures import DETECTIONS
from entra_lake.hooks.graph import read_airflow_connection
from entra_lake.hooks.lake import base_url, open_airflow_lake
from entra_lake.notices import tell_recovery
from entra_lake.progress import Progress
from entra_lake.runs import day_of_run, priority_of_run
from entra_lake.slices import check_day, parse_day
from entra_lake.streams import get_stream

log = logging.getLogger(__name__)

#: A longer pause gives the worker's slot back; a shorter one is a retry. It must not be much shorter: an
#: executor's late report of the first start would be taken for the second's, and cost a try (measured at 2 s).
LONGEST_RETRY_WAIT = timedelta(seconds=60)
#: How long a task lets itself be put off before each pause costs a try: then somebody hears of it.
LONGEST_PATIENCE = timedelta(hours=12)
#: Between two lines in the log, and two writes of the task's state.
REPORT_EVERY = timedelta(seconds=5)


def prepare(lake: str) -> str:
    """Find out the run's day, claim the lake, and bring its tables up to date.

    :returns: the day, for the tasks behind.
    """
    day = day_of_context(get_current_context())
    opened = open_airflow_lake(lake)
    check_day(day, opened.clock.now(), opened.settings.retention_days)
    facts = tables.prepare(opened)
    log.info("prepare %s: lake of tenant %s, collecting from %s", day, facts["tenant_id"], facts["collect_from"])
    return str(day)


def find_due(lake: str) -> list[dict[str, str]]:
    """Find out which days have to be read, and bring the lake's tables up to date if there are any.

    :returns: stream, day and reason of each, the most urgent first, for the mapped tasks behind.
    """
    params = get_current_context()["params"]
    opened, streams = open_airflow_lake(lake), list(params.get("streams") or ())
    found = [
        {"stream": stream, "day": str(day), "why": reconciling.BY_HAND}
        for stream, day in reconciling.chosen_days(opened, *_chosen(params), streams)
    ] or [
        {"stream": item.stream, "day": str(item.day), "why": reconciling.label(item)}
        for item in reconciling.find_due(opened, streams).kept
    ]
    if found:
        tables.prepare(opened)
    for number, item in enumerate(found):
        log.info("%d: %s %s (%s)", number, *item.values())
    return found


def watch(lake: str) -> list[str]:
    """Mail about days that age out unread or partial, and about lost ones.

    That readings are overdue is for the watch outside to say: here something is at work on them.

    :returns: what was mailed.
    """
    kinds = (Kind.ENDANGERED, Kind.LOST, Kind.RETENTION)
    sight = watching.watch(open_airflow_lake(lake), read_airflow_connection, kinds)
    log.info(sentence(sight.found))
    return [item.words for item in sight.told]


def _chosen(params: Mapping[str, Any]) -> tuple[list[date], date | None, date | None]:
    first, last = (parse_day(params[name]) if params.get(name) else None for name in ("from", "to"))
    return [parse_day(text) for text in params.get("days") or ()], first, last


def extract(lake: str, stream: str, day: str) -> dict[str, Any]:
    """List the day from Graph and write what is new to raw/; a retry goes on where the last try stopped."""
    context = get_current_context()
    reporter = ProgressReporter(context)
    run = context["dag_run"]
    opened = replace(open_airflow_lake(lake), priority=priority_of_run(run.dag_id, run.run_type))
    began = opened.clock.now()
    with put_off_when_throttled(context):
        report = extracting.extract(opened, get_stream(stream), parse_day(day), context["run_id"], reporter.take)
    counts = {name: report.total(name) for name in ("pages", "listed", "new", "changed", "missing", "waited_seconds")}
    facts = {BEGAN: began.isoformat(), "pass_id": report.pass_id, "parts": len(report.parts)}
    return _done("extract", stream, day, {**facts, **counts})


def transform(lake: str, stream: str, day: str) -> dict[str, Any]:
    """Build the day's Parquet object from raw/ and put it into staging/."""
    staged = loading.transform(open_airflow_lake(lake), get_stream(stream), parse_day(day))
    return _done("transform", stream, day, staged.to_dict())


def load(lake: str, stream: str, day: str, staged: dict[str, Any]) -> dict[str, Any]:
    """Put the staged object into the lake, under a condition."""
    loaded = loading.load(open_airflow_lake(lake), get_stream(stream), parse_day(day), loading.Staged(**staged))
    return _done("load", stream, day, loaded.to_dict())


def repair_partitions(lake: str, stream: str, day: str) -> None:
    """Register the day's partition in Athena; look at all of S3 when the run asks for a full repair."""
    full = bool(get_current_context()["params"].get("full_repair"))
    tables.repair_partitions(open_airflow_lake(lake), get_stream(stream), parse_day(day), full=full)
    _done("repair_partitions", stream, day, {"full": full})


def verify(lake: str, stream: str, day: str) -> dict[str, Any]:
    """Let Athena count the day, compare, and commit the manifest."""
    manifest = verifying.verify(open_airflow_lake(lake), get_stream(stream), parse_day(day))
    if partial := verifying.partial_error(manifest):
        raise partial
    facts = {"key": manifest.object["key"], "etag": manifest.object["etag"], "passes": len(manifest.passes)}
    return _done("verify", stream, day, {**facts, **manifest.athena})


def detect(lake: str, days: list[str] | None = None) -> str:
    """Run the rules that may speak now, and mail what is new; a rule that fails is named when all others are done.

    :param days: of these days; without it, of all days that Microsoft still has.
    """
    opened = open_airflow_lake(lake)
    done = examine.examine(opened, [parse_day(day) for day in days] if days else examine.recent_days(opened))
    told = digest.tell(opened, read_airflow_connection, base_url=base_url())
    if error := done.error():
        raise error
    if done.is_clean:
        tell_recovery(lake, DETECTIONS, parse_day(days[0]) if days else None)
    return f"{done.line()}; {told.line()}"


def day_of_context(context: Context) -> date:
    """Return the day of the run that this context is about; see `runs.day_of_run`."""
    run = context["dag_run"]
    return day_of_run(context.get("partition_key"), context["params"].get("day"), run.run_after)


@contextmanager
def put_off_when_throttled(context: Context) -> Iterator[None]:
    """Turn a long pause that Graph asks for into a later start of the same try.

    :raises AirflowRescheduleException: the scheduler starts the task again then; it costs no try.
    :raises ThrottledError: when the pause is short, or the task was put off for too long already; the retry
        policy waits as long as Graph said.
    """
    try:
        yield
    except ThrottledError as error:
        now = datetime.now(UTC)  # the scheduler's time, not the lake's
        wait = timedelta(seconds=error.retry_after)
        first = context["ti"].get_first_reschedule_date(context) or now
        if wait <= LONGEST_RETRY_WAIT or now + wait - first > LONGEST_PATIENCE:
            raise
        log.warning("%s Starting again at %s; this costs no try.", error.message, now + wait)
        raise AirflowRescheduleException(now + wait) from error  # type: ignore[no-untyped-call]


class ProgressReporter:
    """Say how far a listing is: in the log, and in the task's state, which the web UI shows."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._next = datetime.min.replace(tzinfo=UTC)

    def take(self, progress: Progress) -> None:
        """Report the first page, and then every few seconds."""
        now = datetime.now(UTC)
        if now < self._next:
            return
        self._next = now + REPORT_EVERY
        log.info(progress.line())
        try:
            self._context["task_state_store"].set("progress", progress.to_dict())
        except Exception as error:  # noqa: BLE001 - a report must never stop a listing
            log.debug("The task's state could not be written: %s", error)


def _done(step: str, stream: str, day: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Log the step's canonical line."""
    told = " ".join(f"{name}={value}" for name, value in facts.items())
    log.info("%s %s %s: %s", step, stream, day, told)
    return facts
