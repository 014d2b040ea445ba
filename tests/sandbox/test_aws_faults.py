"""Faults on purpose: each is what the service does on a bad day, and ends when its count is used up."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from aws_cloud import BUCKET, OUTPUT, Cloud
from botocore.exceptions import ClientError, ConnectionClosedError


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One cloud for this module."""
    made = Cloud(tmp_path_factory.mktemp("aws"))
    made.run("CREATE DATABASE db")
    made.run(f"CREATE EXTERNAL TABLE t (id string) STORED AS PARQUET LOCATION 's3://{BUCKET}/t/'")
    made.put_parquet("t/one.parquet", {"id": ["a"]})
    yield made
    made.aws.stop()


@pytest.fixture(name="cloud")
def without_faults(running: Cloud) -> Iterator[Cloud]:
    """Give the cloud without the faults of the test before."""
    yield running
    running.aws.faults.clear()


def test_requests_fail_as_often_as_told(cloud: Cloud) -> None:
    """The next n requests for matching keys fail; others and later ones succeed."""
    cloud.aws.faults.configure({"s3": {"errors": [{"key": "^bad/", "method": "PUT", "n": 2, "status": 503}]}})
    cloud.put("good")
    for _ in range(2):
        with pytest.raises(ClientError, match="SlowDown"):
            cloud.put("bad/1")
    cloud.put("bad/1")


def test_a_conflict_can_be_answered(cloud: Cloud) -> None:
    """409 ConditionalRequestConflict, which S3 sends to writers that meet."""
    cloud.aws.faults.configure({"s3": {"errors": [{"operation": "PutObject", "n": 1, "status": 409}]}})
    with pytest.raises(ClientError, match="ConditionalRequestConflict"):
        cloud.put("k", IfNoneMatch="*")


def test_a_reply_is_lost_after_the_write(cloud: Cloud) -> None:
    """The client sees a broken connection, and the object is there."""
    cloud.aws.faults.configure({"s3": {"drop_reply": [{"key": "^lost$", "n": 1}]}})
    with pytest.raises(ConnectionClosedError):
        cloud.put("lost", b"kept")
    assert cloud.s3.get_object(Bucket=BUCKET, Key="lost")["Body"].read() == b"kept"
    with pytest.raises(ClientError, match="PreconditionFailed"):
        cloud.put("lost", IfNoneMatch="*")


def test_access_is_denied_by_key_and_operation(cloud: Cloud) -> None:
    """AccessDenied until the faults are cleared."""
    cloud.put("secret/1")
    cloud.aws.faults.configure({"s3": {"deny": [{"key": "^secret/", "operation": "GetObject"}]}})
    for _ in range(2):
        with pytest.raises(ClientError, match="AccessDenied"):
            cloud.s3.get_object(Bucket=BUCKET, Key="secret/1")
    cloud.put("secret/2")
    cloud.aws.faults.clear()
    cloud.s3.get_object(Bucket=BUCKET, Key="secret/1")


def test_a_body_is_damaged_on_the_way(cloud: Cloud) -> None:
    """One byte of the next GET differs; the stored object does not."""
    cloud.put("flip", b"abc")
    cloud.aws.faults.configure({"s3": {"flip": [{"key": "flip", "n": 1}]}})
    bodies = [cloud.s3.get_object(Bucket=BUCKET, Key="flip")["Body"].read() for _ in range(2)]
    assert bodies == [b"acc", b"abc"]


def test_requests_are_delayed(cloud: Cloud) -> None:
    """A reply comes after the delay, and others do not wait for it."""
    cloud.aws.faults.configure({"s3": {"delay": [{"key": "slow", "seconds": 0.2, "n": 1}]}})
    started = time.monotonic()
    cloud.put("slow")
    assert time.monotonic() - started >= 0.2


def test_a_query_fails_with_the_reason_given(cloud: Cloud) -> None:
    """The next query fails, the one after it does not."""
    cloud.aws.faults.configure({"athena": {"fail": {"n": 1, "reason": "INTERNAL_ERROR: on purpose"}}})
    assert cloud.reason("SELECT 1") == "INTERNAL_ERROR: on purpose"
    assert cloud.rows("SELECT 1") == [["1"]]


def test_a_query_stays_queued_until_it_is_stopped(cloud: Cloud) -> None:
    """QUEUED, and CANCELLED after StopQueryExecution; its results cannot be read."""
    cloud.aws.faults.configure({"athena": {"stuck_queued": 1}})
    stuck = cloud.start("SELECT 1")
    assert cloud.rows("SELECT 2") == [["2"]]
    assert cloud.athena.get_query_execution(QueryExecutionId=stuck)["QueryExecution"]["Status"]["State"] == "QUEUED"
    with pytest.raises(ClientError, match="has not yet finished"):
        cloud.athena.get_query_results(QueryExecutionId=stuck)
    cloud.athena.stop_query_execution(QueryExecutionId=stuck)
    assert cloud.wait(stuck)["Status"]["State"] == "CANCELLED"


def test_one_look_sees_the_end_of_a_quick_query(cloud: Cloud) -> None:
    """A look waits a little for the end, as the network would: to look again and again costs more than the query."""
    cloud.aws.faults.configure({"athena": {"delay_seconds": 0.2}})
    looked = cloud.athena.get_query_execution(QueryExecutionId=cloud.start("SELECT 1"))
    assert looked["QueryExecution"]["Status"]["State"] == "SUCCEEDED"


def test_starting_is_throttled(cloud: Cloud) -> None:
    """ThrottlingException for the next n calls."""
    cloud.aws.faults.configure({"athena": {"throttle": 1}})
    with pytest.raises(ClientError, match="ThrottlingException"):
        cloud.start("SELECT 1")
    assert cloud.rows("SELECT 1") == [["1"]]


def test_a_query_fails_when_its_object_is_replaced(cloud: Cloud) -> None:
    """Once, and only for a query that reads a matching object."""
    cloud.aws.faults.configure({"athena": {"replace": {"key": "^t/one"}}})
    assert cloud.rows("SELECT 1") == [["1"]]
    assert cloud.reason("SELECT id FROM t").startswith("HIVE_CANNOT_OPEN_SPLIT: ")
    assert cloud.rows("SELECT id FROM t") == [["a"]]


def test_an_object_that_really_changes_is_noticed(cloud: Cloud) -> None:
    """A query that planned to read one ETag does not silently answer when another is there."""
    cloud.aws.faults.configure({"athena": {"delay_seconds": 0.4}})
    query = cloud.start("SELECT id FROM t")
    deadline = time.monotonic() + 5
    while not cloud.aws.athena.executions[query].scanned and time.monotonic() < deadline:
        pass
    cloud.put_parquet("t/one.parquet", {"id": ["b"]})
    assert cloud.wait(query)["Status"]["StateChangeReason"].startswith("HIVE_CANNOT_OPEN_SPLIT: ")
    cloud.put_parquet("t/one.parquet", {"id": ["a"]})


def test_the_service_is_down(cloud: Cloud) -> None:
    """Every call fails until the fault ends; S3 is not touched."""
    cloud.aws.faults.configure({"athena": {"down": True}})
    with pytest.raises(ClientError, match="ServiceUnavailable"):
        cloud.start("SELECT 1")
    cloud.put("up")
    cloud.aws.faults.configure({"athena": {}})
    assert cloud.rows("SELECT 1", ResultConfiguration={"OutputLocation": OUTPUT}) == [["1"]]


@pytest.mark.parametrize("wrong", [{"s3": {"explode": []}}, {"athena": {"explode": 1}}, {"ec2": {}}])
def test_words_that_mean_nothing_are_refused(cloud: Cloud, wrong: dict[str, object]) -> None:
    """A misspelt fault must not look like a test that passed."""
    with pytest.raises(ValueError, match="unknown"):
        cloud.aws.faults.configure(wrong)
