"""A DAG with a deadline that `airflow dags test` and `dag.test()` can run."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG


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
