"""What Airflow does with a failed task."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk import RetryAction

from entra_lake.errors import (
    AthenaUnavailableError,
    ConfigurationError,
    ConsentMissingError,
    EntraLakeError,
    GraphUnavailableError,
    ThrottledError,
)
from entra_lake.retries import ErrorTreeRetryPolicy


@pytest.mark.fault(8)
@pytest.mark.defect("D11")
def test_a_throttled_task_waits_as_long_as_graph_says() -> None:
    """Retry-After is the delay, to the fraction of a second."""
    decision = ErrorTreeRetryPolicy().evaluate(ThrottledError("slow", retry_after=41.5), 1, 3)
    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay == timedelta(seconds=41.5)


@pytest.mark.parametrize("kind", [GraphUnavailableError, AthenaUnavailableError])
def test_what_may_pass_is_tried_again(kind: type[EntraLakeError]) -> None:
    """Other retryable errors wait for the task's own delay, which grows."""
    decision = ErrorTreeRetryPolicy().evaluate(kind("later"), 1, 3)
    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay is None


@pytest.mark.parametrize("kind", [ConfigurationError, ConsentMissingError])
def test_what_a_person_must_mend_fails_at_once(kind: type[EntraLakeError]) -> None:
    """No try is wasted on a wrong secret, and the reason stands on the task."""
    decision = ErrorTreeRetryPolicy().evaluate(kind("grant it"), 1, 3)
    assert decision.action is RetryAction.FAIL
    assert decision.reason == f"{kind.code}: grant it"


def test_other_exceptions_are_the_tasks_own_business() -> None:
    """A bug or a time-out is retried as the task says."""
    assert ErrorTreeRetryPolicy().evaluate(ValueError("bug"), 1, 3).action is RetryAction.DEFAULT


def test_the_policy_survives_a_round_trip() -> None:
    """A stored policy is the policy."""
    policy = ErrorTreeRetryPolicy.deserialize(ErrorTreeRetryPolicy().serialize())
    assert isinstance(policy, ErrorTreeRetryPolicy)
