"""What Airflow does with a failed task: the error's class decides, not its text."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from airflow.sdk import RetryDecision, RetryPolicy

from entra_lake.errors import FatalError, RetryableError, ThrottledError

if TYPE_CHECKING:
    from airflow.sdk import Context


class ErrorTreeRetryPolicy(RetryPolicy):
    """Retry what may pass, fail at once what a person must mend, and leave other exceptions to the task.

    A throttled task waits exactly as long as Graph said; others wait for the task's own `retry_delay`.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,  # noqa: ARG002 - Airflow's signature
        max_tries: int,  # noqa: ARG002
        context: Context | None = None,  # noqa: ARG002
    ) -> RetryDecision:
        """Return what to do; Airflow shows the reason in the log and on the task."""
        if isinstance(exception, FatalError):
            return RetryDecision.fail(reason=f"{exception.code}: {exception.message}")
        if isinstance(exception, ThrottledError):
            delay = timedelta(seconds=exception.retry_after)
            return RetryDecision.retry(delay, reason=f"{exception.code}: Graph asked for {delay} of patience")
        if isinstance(exception, RetryableError):
            return RetryDecision.retry(reason=f"{exception.code}: {exception.message}")
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        """Return what a stored DAG keeps: nothing, for the error tree is in the code."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Self:  # noqa: ARG003 - Airflow's signature
        """Return the policy again."""
        return cls()
