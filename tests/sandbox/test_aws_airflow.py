"""Airflow's own Athena hook and operator work against the simulated Athena as against the real one."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from aws_cloud import OUTPUT, REGION, Cloud

pytestmark = pytest.mark.airflow


@pytest.fixture(name="cloud")
def with_connection(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Start a cloud, and point a connection of its own at it: Airflow may still know another test's aws_default."""
    made = Cloud(tmp_path_factory.mktemp("aws"))
    extra = {"endpoint_url": made.aws.endpoint_url, "region_name": REGION}
    text = json.dumps({"conn_type": "aws", "login": "any", "password": "key", "extra": extra})
    monkeypatch.setenv(f"AIRFLOW_CONN_{connection(made).upper()}", text)
    yield made
    made.aws.stop()


def connection(cloud: Cloud) -> str:
    """Name the cloud's connection."""
    return f"aws_{cloud.aws.port}"


def test_the_hook_reads_results_and_reasons(cloud: Cloud) -> None:
    """run_query, poll_query_status, get_query_results and get_state_change_reason."""
    from airflow.providers.amazon.aws.hooks.athena import AthenaHook  # noqa: PLC0415 - takes seconds

    hook = AthenaHook(aws_conn_id=connection(cloud))
    context, place = {"Database": "default"}, {"OutputLocation": OUTPUT}
    query = hook.run_query("SELECT 1 AS one", context, place)
    ended, where = hook.poll_query_status(query, sleep_time=0.01), hook.conn.meta.endpoint_url
    assert ended == "SUCCEEDED", (hook.get_state_change_reason(query), where, cloud.aws.endpoint_url)
    assert hook.get_query_results(query)["ResultSet"]["Rows"][1]["Data"] == [{"VarCharValue": "1"}]
    assert hook.get_output_location(query) == f"{OUTPUT}{query}.csv"
    failed = hook.run_query("SELECT nope", context, place)
    assert hook.poll_query_status(failed, sleep_time=0.01) == "FAILED"
    assert hook.get_state_change_reason(failed) == "COLUMN_NOT_FOUND: line 1:8: Column 'nope' cannot be resolved"


def test_the_operator_fails_with_the_reason(cloud: Cloud) -> None:
    """AthenaOperator returns the query id of a good statement, and raises the reason of a bad one."""
    from airflow.providers.amazon.aws.operators.athena import AthenaOperator  # noqa: PLC0415 - takes seconds

    good = AthenaOperator(
        task_id="good",
        query="SHOW DATABASES",
        database="default",
        output_location=OUTPUT,
        sleep_time=0,
        aws_conn_id=connection(cloud),
    )
    assert good.execute({}) in cloud.aws.athena.executions
    bad = AthenaOperator(
        task_id="bad",
        query="SELEC 1",
        database="default",
        output_location=OUTPUT,
        sleep_time=0,
        aws_conn_id=connection(cloud),
    )
    with pytest.raises(Exception, match="SYNTAX_ERROR"):
        bad.execute({})
