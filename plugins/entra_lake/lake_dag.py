"""What the lake's DAGs have in common: how tasks fail and retry, where they wait for Graph, what comes late.

Whoever parses a DAG imports this module, so it imports nothing heavy.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, AsyncCallback, DeadlineAlert, DeadlineReference  # type: ignore[attr-defined]

from entra_lake.alerts import run_is_late, task_failed
from entra_lake.retries import ErrorTreeRetryPolicy

#: A run that is not done so long after it was queued is worth a mail.
LATE_AFTER = timedelta(hours=6)
#: The pool of one slot in which extracts wait for Graph. Airflow never schedules a task whose pool does not
#: exist, so the pool is used only where set-up has made it (`airflow pools set entra_graph 1 Graph`) and says so.
#: Without it the request budget in S3 keeps the pace all the same.
POOL = os.environ.get("ENTRA_LAKE_POOL") or "default_pool"

DEFAULTS: dict[str, Any] = {
    "owner": "entra-lake",
    "retries": 4,
    "retry_delay": timedelta(minutes=2),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=30),
    "retry_policy": ErrorTreeRetryPolicy(),
    "weight_rule": "entra_lake.turns.TurnsOfRuns",  # the plugin brings it; named, so that parsing need not load it
    "on_failure_callback": task_failed,
}


def late_alert() -> DeadlineAlert:
    """Return the deadline of a run: whoever is not done by then is mailed about."""
    return DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, LATE_AFTER, AsyncCallback(run_is_late))


class LakeDag(DAG):
    """Airflow's DAG; only its test runs differ.

    A run outside the scheduler has no row for its deadline, and Airflow 3.3.2 stumbles over that (a
    `StatementError` on `deadline_alert.id`) when such a run ends well. So test runs have no deadline.
    """

    def test(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - Airflow's own signature
        """Run the DAG once in this process; see `DAG.test`."""
        deadline, self.deadline = self.deadline, None
        try:
            return super().test(*args, **kwargs)
        finally:
            self.deadline = deadline
