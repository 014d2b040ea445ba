"""Whose task comes next where several wait for a slot: the daily run's, then re-reading's, then what a person started.

`extract` waits in a pool of one slot. Without this rule a backfill of 29 days would queue before the daily run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.task.priority_strategy import PriorityWeightStrategy
from airflow.utils.types import DagRunType

from entra_lake.budget import Priority
from entra_lake.runs import priority_of_run

if TYPE_CHECKING:
    from airflow.models.taskinstance import TaskInstance

#: More than any DAG has tasks: the kind of the run decides before anything else.
_STEP = 1000
_HEIGHT = {Priority.SCHEDULED: 3, Priority.RECONCILE: 2, Priority.BACKFILL: 1}


class TurnsOfRuns(PriorityWeightStrategy):
    """Weigh a task by the kind of its run first, then by how many tasks wait for it."""

    def get_weight(self, ti: TaskInstance) -> int:
        """Return the weight; Airflow asks for it when a run begins, and knows no more of the run than its id."""
        priority = priority_of_run(ti.dag_id, str(DagRunType.from_run_id(ti.run_id)))
        waiting = len(ti.task.get_flat_relative_ids(upstream=False)) if ti.task else 0
        return _HEIGHT[priority] * _STEP + min(waiting, _STEP - 1)
