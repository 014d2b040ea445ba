"""One day of one stream as a group of tasks: what all DAGs that collect have in common.

Whoever parses a DAG imports this module, so it imports nothing heavy: the work is in `tasks.py`, which
only a running task loads.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import task, task_group

from entra_lake.alerts import stream_works

#: How a mapped instance is called in the web UI: `sign_ins 2026-11-22 (last)`. Others get no name.
LABEL = (
    "{% if ti.map_index is not none and ti.map_index >= 0 %}"
    "{{ task.op_kwargs.stream }} {{ task.op_kwargs.day }} ({{ task.op_kwargs.why }}){% endif %}"
)


@task_group
def stream_day(lake: str, stream: str, day: str, pool: str, why: str = "") -> None:
    """Take one day of one stream from Graph to its manifest.

    May be mapped over `stream`, `day` and `why`; see `entra_reconcile`. Every task gets all three by their
    names: that is where callbacks look them up.

    :param lake: the lake's entry in lakes.yaml.
    :param day: such as 2026-11-22; the output of `prepare`.
    :param pool: in which extract waits for its turn to ask Graph.
    :param why: why the day is read, where a run reads days for several reasons.
    """
    what: dict[str, Any] = {"lake": lake, "stream": stream, "day": day, "why": why}
    extracted = extract.override(pool=pool)(**what)
    staged = transform(**what)
    loaded = load(**what, staged=staged)
    registered = repair_partitions(**what)
    extracted >> staged
    loaded >> registered >> verify(**what)


@task(multiple_outputs=False, execution_timeout=timedelta(minutes=15))
def prepare(lake: str) -> str:
    """Find out the run's day, claim the lake for its tenant, and bring its tables up to date."""
    from entra_lake import tasks  # noqa: PLC0415 - see the module

    return tasks.prepare(lake)


@task(multiple_outputs=False, execution_timeout=timedelta(minutes=15))
def find_due(lake: str) -> list[dict[str, str]]:
    """Find out which days have to be read, the most urgent first; by hand: the chosen ones."""
    from entra_lake import tasks  # noqa: PLC0415 - see the module

    return tasks.find_due(lake)


@task(multiple_outputs=False, execution_timeout=timedelta(minutes=15))
def watch(lake: str) -> list[str]:
    """Mail about days that Microsoft is about to delete unread or partial, and about lost ones."""
    from entra_lake import tasks  # noqa: PLC0415 - see the module

    return tasks.watch(lake)


@task(multiple_outputs=False, execution_timeout=timedelta(hours=4), map_index_template=LABEL)
def extract(lake: str, stream: str, day: str, why: str = "") -> dict[str, Any]:  # noqa: ARG001 - labels
    """List the day from Graph and write what is new, as received, to raw/."""
    from entra_lake import tasks  # noqa: PLC0415 - see the module

    return tasks.extract(lake, stream, day)


@task(multiple_outputs=False, execution_timeout=timedelta(hours=1), map_index_template=LABEL)
def transform(lake: str, stream: str, day: str, why: str = "") -> dict[str, Any]:  # noqa: ARG001 - labels
    """Build the day's Parquet object from raw/."""
    from entra_lake import tasks  # noqa: PLC0415 - see the module

    return tasks.transform(lake, stream, day)


@task(multiple_outputs=False, execution_timeout=timedelta(hours=1), map_index_template=LABEL)
def load(
    lake: str,
    stream: str,
    day: str,
    staged: Any,  # noqa: ANN401 - an XComArg at parse time
    why: str = "",  # noqa: ARG001 - labels
) -> dict[str, Any]:
    """Put the object into the lake, under a condition."""
    from entra_lake import tasks  # noqa: PLC0415 - see the module

    return tasks.load(lake, stream, day, staged)


@task(multiple_outputs=False, execution_timeout=timedelta(minutes=30), map_index_template=LABEL)
def repair_partitions(lake: str, stream: str, day: str, why: str = "") -> None:  # noqa: ARG001 - labels
    """Register the day's partition in Athena."""
    from entra_lake import tasks  # noqa: PLC0415 - see the module

    tasks.repair_partitions(lake, stream, day)


@task(
    multiple_outputs=False,
    execution_timeout=timedelta(minutes=30),
    on_success_callback=stream_works,
    map_index_template=LABEL,
)
def verify(lake: str, stream: str, day: str, why: str = "") -> dict[str, Any]:  # noqa: ARG001 - labels
    """Let Athena count the day, compare with the object, and commit the manifest."""
    from entra_lake import tasks  # noqa: PLC0415 - see the module

    return tasks.verify(lake, stream, day)


@task(multiple_outputs=False, execution_timeout=timedelta(hours=1), trigger_rule="all_done")
def detect(lake: str, days: list[str] | None = None) -> str:
    """Run the detections of what is verified, and mail what is new; a stream that failed stops only its own rules."""
    from entra_lake import tasks  # noqa: PLC0415 - see the module

    return tasks.detect(lake, days)


def finish() -> EmptyOperator:
    """Return a run's last task: Airflow calls a run by its last tasks, and `detect` is green where a stream is red.

    Nothing is executed for it: it stays white where something before it has failed, and so the run is red.
    """
    return EmptyOperator(task_id="finish", trigger_rule="none_failed", execution_timeout=timedelta(minutes=5))
