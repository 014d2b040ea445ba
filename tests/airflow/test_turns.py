"""Whose task the scheduler takes first when several wait for the one slot in which Graph is asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

MORNING = datetime(2026, 11, 23, 6, tzinfo=UTC)


@pytest.fixture
def session(database: None, bag: Any) -> Iterator[Any]:
    """Put the DAGs into Airflow's database as the DAG processor does; forget all runs behind the test."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager  # noqa: PLC0415 - after the environment
    from airflow.dag_processing.dagbag import sync_bag_to_db  # noqa: PLC0415
    from airflow.models.dag import DagModel  # noqa: PLC0415
    from airflow.models.dagrun import DagRun  # noqa: PLC0415
    from airflow.settings import Session  # noqa: PLC0415
    from sqlalchemy import delete, update  # noqa: PLC0415

    manager = DagBundlesManager()
    manager.sync_bundles_to_db()
    sync_bag_to_db(bag, next(iter(manager.get_all_dag_bundles())).name, None)
    with Session() as session:
        session.execute(update(DagModel).values(is_paused=False))
        session.commit()
        yield session
        session.rollback()
        session.execute(delete(DagRun))
        session.execute(update(DagModel).values(is_paused=True))
        session.commit()


def begin(session: Any, dag_id: str, kind: str, minute: int) -> None:
    """Begin a run as the scheduler does, under the id that the DAG's timetable gives it; its extracts wait."""
    from airflow.models.serialized_dag import SerializedDagModel  # noqa: PLC0415 - after the environment
    from airflow.models.taskinstance import TaskInstance  # noqa: PLC0415
    from airflow.utils.state import DagRunState, TaskInstanceState  # noqa: PLC0415
    from airflow.utils.types import DagRunTriggeredByType, DagRunType  # noqa: PLC0415
    from sqlalchemy import update  # noqa: PLC0415

    dag = SerializedDagModel.get_dag(dag_id, session=session)
    assert dag
    run_type, due = DagRunType(kind), MORNING.replace(minute=minute)
    facts = {"run_type": run_type, "run_after": due, "data_interval": None}
    key = "2026-11-22" if dag_id == "entra_logs" else None
    run = dag.create_dagrun(
        run_id=dag.timetable.generate_run_id(**facts, **({"partition_key": key} if key else {})),
        run_type=run_type,
        run_after=due,
        state=DagRunState.RUNNING,
        partition_key=key,
        triggered_by=DagRunTriggeredByType.TEST,
        session=session,
    )
    session.flush()
    waiting = TaskInstance.run_id == run.run_id, TaskInstance.task_id.endswith("extract")
    session.execute(update(TaskInstance).where(*waiting).values(state=TaskInstanceState.SCHEDULED))
    session.commit()


def next_in_turn(session: Any) -> tuple[str, str]:
    """Return DAG and kind of run of the one task that the scheduler queues into a pool of one slot."""
    from airflow.jobs.job import Job  # noqa: PLC0415 - after the environment
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner  # noqa: PLC0415

    (task,) = SchedulerJobRunner(Job())._executable_task_instances_to_queued(max_tis=1, session=session)
    session.commit()
    return task.dag_id, task.run_id.split("__")[0]


def test_the_daily_run_goes_before_what_began_earlier(session: Any) -> None:
    """A backfill began first, then a run by hand, then re-reading: the daily run asks Graph before all of them."""
    begin(session, "entra_logs", "backfill", 0)
    begin(session, "entra_logs", "manual", 1)
    assert next_in_turn(session) == ("entra_logs", "backfill")
    begin(session, "entra_reconcile", "manual", 2)
    begin(session, "entra_reconcile", "scheduled", 3)
    assert next_in_turn(session) == ("entra_reconcile", "scheduled")
    begin(session, "entra_logs", "scheduled", 4)
    assert [next_in_turn(session) for _ in range(2)] == [("entra_logs", "scheduled")] * 2
    assert next_in_turn(session)[1] in {"backfill", "manual"}
