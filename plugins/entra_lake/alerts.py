"""Airflow's callbacks: whatever fails is mailed once, and so is its end.

A task that raises calls `task_failed`, in its own process; one that the system kills calls nothing, and
only `run_failed` hears of it, in the DAG processor. Both mail through one function, which builds everything
afresh: a notifier that is shared between calls mails the first call's facts again.

Nothing heavy at the top: whoever parses a DAG imports this module. No callback raises: a mail server that
is down must not change what became of a task.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from entra_lake.errors import EntraLakeError
from entra_lake.failures import DETECTIONS, Cause, Failure, describe
from entra_lake.redaction import quote
from entra_lake.runs import day_of_run, is_about_a_day
from entra_lake.settings import DEFAULT_LAKE
from entra_lake.streams import STREAMS

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

#: XCom key under which a failed task notes that somebody was told of it.
TOLD = "told"
#: What a task that reads calls, in what it returns, the time at which it began.
BEGAN = "began_at"
#: The task whose list the groups of `entra_reconcile` are mapped over.
FINDER = "find_due"
#: The task that runs detections.
DETECT = "detect"
#: Runs of whose failures this very process has told: `dag.test()` has no supervisor whom `run_failed` could ask.
_TOLD_HERE: set[str] = set()


def task_failed(context: Context) -> None:
    """Mail a task's failure, once per run and cause, and note that it was done."""
    try:
        if _tell(failure_of_task(context)):
            _TOLD_HERE.add(str(context["run_id"]))
            context["ti"].xcom_push(key=TOLD, value=True)
    except Exception as error:  # noqa: BLE001 - see the module
        _log_trouble(error)


def run_failed(context: Context) -> None:
    """Mail the failures of a run that no task could mail itself."""
    try:
        for failure in _untold(context):
            _tell(failure)
    except Exception as error:  # noqa: BLE001 - see the module
        _log_trouble(error)


def stream_works(context: Context) -> None:
    """Mail what works again, after a day of a stream was verified."""
    try:
        from entra_lake.notices import tell_recovery  # noqa: PLC0415 - see the module

        done = failure_of_task(context)
        tell_recovery(done.lake, done.stream, done.day, _read_from(context))
    except Exception as error:  # noqa: BLE001 - see the module
        _log_trouble(error)


async def run_is_late(context: dict[str, Any], **_: Any) -> None:  # noqa: ANN401 - Airflow may add some
    """Mail that a run is not done in time; Airflow's triggerer calls it with the run and its deadline."""
    try:
        from entra_lake.notices import tell_lateness  # noqa: PLC0415 - see the module

        run = context["dag_run"]
        # In a thread: waiting for a mail server here would stop all other triggers.
        await asyncio.to_thread(tell_lateness, lake_of(run["dag_id"]), run, context.get("deadline") or {})
    except Exception as error:  # noqa: BLE001 - see the module
        _log_trouble(error)


def failure_of_task(context: Context) -> Failure:
    """Return what is known of the task that this context is about."""
    ti = context["ti"]
    return _failure(
        context,
        describe(_error(context)),
        task_id=ti.task_id,
        map_index=-1 if ti.map_index is None else ti.map_index,
        try_number=ti.try_number or 0,
        arguments=getattr(ti.task, "op_kwargs", None) or {},
    )


def lake_of(dag_id: str) -> str:
    """Return the lake whose DAG this is: `entra_logs__contoso` is contoso's."""
    return dag_id.partition("__")[2] or DEFAULT_LAKE


def _error(context: Context) -> BaseException | None:
    """Return what the task raised; the DAG processor, which calls for tasks that died, does not know it."""
    error = context.get("exception")
    return error if isinstance(error, BaseException) else None


def _tell(failure: Failure) -> bool:
    from entra_lake.notices import tell_failure  # noqa: PLC0415 - see the module

    return tell_failure(failure)


def _untold(context: Context) -> Iterator[Failure]:
    """Find the failed tasks of the run that have not noted that somebody was told."""
    states = _states(context)
    failed = [name for name, state in states.items() if state == "failed"]
    if not states and str(context["run_id"]) in _TOLD_HERE:
        return
    if not failed:
        yield _failure(context, _failed_run(str(context.get("reason") or "no reason given")))
    for name in failed:
        task_id, map_index = _parts(context, name)
        if not _was_told(context, task_id, map_index):
            yield _failure(context, describe(None), task_id=task_id, map_index=map_index)


def _failure(  # noqa: PLR0913 - what is known of a failure
    context: Context,
    cause: Cause,
    *,
    task_id: str = "",
    map_index: int = -1,
    try_number: int = 0,
    arguments: Mapping[str, Any] | None = None,
) -> Failure:
    dag_id = context["dag"].dag_id
    given = _given(context, map_index, arguments or {})
    stream = given.get("stream") or task_id.partition(".")[0]
    stream = DETECTIONS if task_id == DETECT else stream if stream in STREAMS else ""
    states = _states(context) if stream in STREAMS else {}
    return Failure(
        dag_id=dag_id,
        run_id=str(context["run_id"]),
        lake=lake_of(dag_id),
        cause=cause,
        task_id=task_id,
        map_index=map_index,
        try_number=try_number,
        stream=stream,
        day=_day(context, given.get("day")),
        steps=_steps(states, task_id.partition(".")[0], map_index),
    )


def _given(context: Context, map_index: int, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a task was given; the DAG processor does not know it, so a mapped one looks where it came from."""
    known = {name: value for name, value in arguments.items() if isinstance(value, str)}
    if map_index < 0 or "stream" in known:
        return known
    try:
        found = context["ti"].xcom_pull(task_ids=FINDER, run_id=str(context["run_id"]), map_indexes=-1)
        return {**known, **found[map_index]}
    except Exception as error:  # noqa: BLE001 - a mail without stream and day is better than none
        log.warning("What instance %d was about cannot be had: %s", map_index, quote(str(error)))
        return known


def _read_from(context: Context) -> datetime | None:
    """Return when the task began that has read this verified day from Graph; None when that cannot be told."""
    ti = context["ti"]
    reader, index = f"{ti.task_id.rpartition('.')[0]}.extract", -1 if ti.map_index is None else ti.map_index
    facts = ti.xcom_pull(task_ids=reader, key="return_value", run_id=str(context["run_id"]), map_indexes=index)
    return datetime.fromisoformat(facts[BEGAN]) if facts else None


def _states(context: Context) -> dict[str, str]:
    """Return the state of each task of the run; nothing where there is no supervisor to ask."""
    ti, run_id = context.get("ti"), str(context["run_id"])
    try:
        found = ti.get_task_states(dag_id=context["dag"].dag_id, run_ids=[run_id]) if ti else {}
    except Exception as error:  # noqa: BLE001 - `dag.test()` raises NameError here; a mail goes out all the same
        log.debug("The states of the run's tasks cannot be had: %s", error)
        return {}
    return {name: str(state or "not started") for name, state in found.get(run_id, {}).items()}


def _steps(states: Mapping[str, str], group: str, map_index: int) -> dict[str, str]:
    """Return the tasks of the same stream and day, by their short names."""
    prefix, suffix = f"{group}.", f"_{map_index}" if map_index >= 0 else ""
    return {
        name.removeprefix(prefix).removesuffix(suffix): "failed" if state == "running" else state
        for name, state in states.items()
        if name.startswith(prefix) and name.endswith(suffix)
    }


def _parts(context: Context, name: str) -> tuple[str, int]:
    """Take apart what `get_task_states` calls a task: its id, with `_<map index>` where it is mapped."""
    if name in context["dag"].task_ids:
        return name, -1
    task_id, _, index = name.rpartition("_")
    return task_id, int(index)


def _was_told(context: Context, task_id: str, map_index: int) -> bool:
    ti = context.get("ti")
    found = (
        ti.xcom_pull(task_ids=task_id, key=TOLD, run_id=str(context["run_id"]), map_indexes=map_index) if ti else None
    )
    return bool(found)


def _failed_run(reason: str) -> Cause:
    return Cause(
        kind=f"run-{quote(reason)}",
        words=f"the run failed ({quote(reason)})",
        message=f"The run failed, and none of its tasks says why. Airflow's reason: {quote(reason)}.",
    )


def _day(context: Context, given: object) -> date | None:
    """Return the day that the task was given, else the run's; None when it cannot be told."""
    try:
        if isinstance(given, str):
            return date.fromisoformat(given)
        if not is_about_a_day(context["dag"].dag_id):
            return None
        run = context["dag_run"]
        return day_of_run(context.get("partition_key"), context["params"].get("day"), run.run_after)
    except (EntraLakeError, ValueError, KeyError, AttributeError):
        return None


def _log_trouble(error: Exception) -> None:
    log.error("No mail could be made: %s: %s", type(error).__name__, quote(str(error)))
