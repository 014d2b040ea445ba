"""One day of one stream as a group of tasks: what all DAGs that collect have in common.

Whoever parses a DAG imports this module, so it imports nothing heavy: the work is in `tasks.py`, which
only a running task loads.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import task, task_group

from entra_lake.alerts import stream_works


@task_group
def stream_day(lake: str, stream: str, day: str, pool: str) -> None:
    """Take one day of one stream from Graph to its manifest.

    :param lake: the lake's entry in lakes.yaml.
    :param day: such as 2026-11-22; the output of `prepare`.
    :param pool: in which extract waits for its turn to ask Graph.
    """
    extracted = extract.override(pool=pool)(lake, stream, day)
    staged = transform(lake, stream, day)
    loaded = load(lake, stream, day, staged)
    registered = repair_partitions(lake, stream, day)
    extracted >> staged
    loaded >> registered >> verify(lake, stream, day)


@task(multiple_outputs=False, execution_timeout=timedelta(minutes=15))
def prepare(lake: str) -> str:
    """Find out the run's day, claim the lake for its tenant, and bring its tables up to date."""
    from entra_lake import tasks  # noqa: PLC0415 - see the module

    return tasks.prepare(lake)


@task(multiple_outputs=False, execution_timeout=timedelta(hours=4))
def extract(lake: str, stream: str, day: str) -> dict[str, Any]:
    """List the day from Graph and write what is new, as received, to raw/."""
    from entra_lake import tasks  # noqa: PLC0415 - see the module

    return tasks.extract(lake, stream, day)


@task(multiple_outputs=False, execution_timeout=timedelta(hours=1))
def transform(lake: str, stream: str, day: str) -> dict[str, Any]:
    """Build the day's Parquet object from raw/."""
    from entra_lake import tasks  # noqa: PLC0415 - see the module

    return tasks.transform(lake, stream, day)


@task(multiple_outputs=False, execution_timeout=timedelta(hours=1))
def load(lake: str, stream: str, day: str, staged: Any) -> dict[str, Any]:  # noqa: ANN401 - an XComArg at parse time
    """Put the object into the lake, under a condition."""
    from entra_lake import tasks  # noqa: PLC0415 - see the module

    return tasks.load(lake, stream, day, staged)


@task(multiple_outputs=False, execution_timeout=timedelta(minutes=30))
def repair_partitions(lake: str, stream: str, day: str) -> None:
    """Register the day's partition in Athena."""
    from entra_lake import tasks  # noqa: PLC0415 - see the module

    tasks.repair_partitions(lake, stream, day)


@task(multiple_outputs=False, execution_timeout=timedelta(minutes=30), on_success_callback=stream_works)
def verify(lake: str, stream: str, day: str) -> dict[str, Any]:
    """Let Athena count the day, compare with the object, and commit the manifest."""
    from entra_lake import tasks  # noqa: PLC0415 - see the module

    return tasks.verify(lake, stream, day)
