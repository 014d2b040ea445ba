"""Which day a DAG run is about: read from what Airflow knows of the run, never from the wall clock."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

from entra_lake.budget import Priority
from entra_lake.errors import ConfigurationError
from entra_lake.slices import ONE_DAY, parse_day

#: How the id of the DAG begins that reads days again; each lake has its own.
RECONCILE = "entra_reconcile"


def day_of_run(partition_key: str | None, params_day: str | None, run_after: datetime) -> date:
    """Return the day: the partition key, else the parameter `day`, else the day before `run_after` (UTC).

    A partitioned run has no logical date, and a run started by hand may have neither; a run that a
    scheduler starts days late is still about its own day. So `ds`, `logical_date` and the clock say nothing.

    :param partition_key: of a scheduled run, of a backfill's, or typed in when a run is started by hand.
    :param params_day: the run's parameter `day`.
    :param run_after: when the run was due.
    :raises ConfigurationError: when key and parameter differ, or one of them names no day.
    """
    days = {parse_day(text) for text in (partition_key, params_day) if text}
    if len(days) > 1:
        message = (
            f"The run has the partition key {partition_key} and the parameter day {params_day}. "
            "Start it again with only one of them, or with the same day in both."
        )
        raise ConfigurationError(message)
    return days.pop() if days else run_after.astimezone(UTC).date() - ONE_DAY


def is_about_a_day(dag_id: str) -> bool:
    """Tell whether the DAG's runs have a day; those of `entra_reconcile` are about many."""
    return not dag_id.startswith(RECONCILE)


def again_command(dag_id: str, stream: str, day: date | None) -> str:
    """Return the command that takes the day again."""
    if day is None:
        return f"airflow dags trigger {dag_id}"
    conf: dict[str, object] = {"day": str(day)} if is_about_a_day(dag_id) else {"days": [str(day)]}
    if stream and not is_about_a_day(dag_id):
        conf["streams"] = [stream]
    return f"airflow dags trigger {dag_id} --conf '{json.dumps(conf)}'"


def priority_of_run(dag_id: str, run_type: str) -> Priority:
    """Return whose turn it is: the daily run's first, then what is owed of other days, then what a person started.

    :param run_type: `scheduled`, `manual`, `backfill`, … as Airflow says.
    """
    if run_type != "scheduled":
        return Priority.BACKFILL
    return Priority.SCHEDULED if is_about_a_day(dag_id) else Priority.RECONCILE
