"""Connections from SSM Parameter Store, by two settings of Airflow."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import ErrorResponse
from cloud_connections import REPOSITORY

from entra_lake.errors import ConfigurationError, SecretsUnavailableError
from entra_lake.hooks.graph import GraphHook
from entra_lake.hooks.lake import open_airflow_lake
from sandbox.environment import environment
from sandbox.provision import ACCESS_KEY, REGION, SECRET_KEY
from sandbox.serve import Sandbox

NAMES = ("graph_default", "aws_default", "smtp_default")
#: The two settings, as docs/connections.md shows them.
SETTINGS = dict(
    re.findall(
        r"^export (AIRFLOW__SECRETS__\w+)='?(.*?)'?$", (REPOSITORY / "docs/connections.md").read_text(), re.MULTILINE
    )
)


@pytest.fixture(name="parameters")
def move_connections_to_ssm(cloud: Sandbox, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """Store the three connections in the sandbox's SSM instead of the environment; the machine has a role."""
    variables = environment(cloud.state.folder)
    parameters = {name: json.loads(variables[f"AIRFLOW_CONN_{name.upper()}"]) for name in NAMES}
    endpoint = cloud.settings["aws_endpoint_url"]
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", endpoint)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    for name in NAMES:
        monkeypatch.delenv(f"AIRFLOW_CONN_{name.upper()}")
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    store(cloud, parameters)
    return parameters


def store(cloud: Sandbox, parameters: dict[str, dict[str, Any]]) -> None:
    """Put connections with the script that ships."""
    done = subprocess.run(
        [sys.executable, REPOSITORY / "infra" / "store_secrets.py", "--key", "alias/entra-lake", "--file", "-"],
        input=json.dumps(parameters),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_two_settings_are_enough() -> None:
    """The documents set the backend and its arguments, and nothing else."""
    assert set(SETTINGS) == {"AIRFLOW__SECRETS__BACKEND", "AIRFLOW__SECRETS__BACKEND_KWARGS"}
    assert json.loads(SETTINGS["AIRFLOW__SECRETS__BACKEND_KWARGS"])["connections_prefix"] == "/airflow/connections"


def test_airflow_reads_the_three_connections_from_ssm(parameters: dict[str, dict[str, Any]]) -> None:
    """Airflow's own backend, configured by the two settings, reads each connection with its secret."""
    from airflow.configuration import ensure_secrets_loaded  # noqa: PLC0415 - after the environment

    backend = ensure_secrets_loaded()[0]
    assert type(backend).__name__ == "SystemsManagerParameterStoreBackend"
    for name, expected in parameters.items():
        found = backend.get_connection(name)
        assert found.conn_type == expected["conn_type"]
        assert found.password == expected.get("password")
        assert found.extra_dejson == expected["extra"]


def test_a_lake_opens_with_connections_from_ssm(cloud: Sandbox, parameters: dict[str, dict[str, Any]]) -> None:
    """Hook, test button and lake work as they do with any other backend."""
    works, said = GraphHook().test_connection()
    assert works, said
    lake = open_airflow_lake("default")
    assert lake.graph.client_secret == parameters["graph_default"]["password"]
    assert lake.aws.endpoint_url == cloud.settings["aws_endpoint_url"]


def test_a_new_secret_is_used_without_a_restart(cloud: Sandbox, parameters: dict[str, dict[str, Any]]) -> None:
    """What is stored while this process runs is what the next task uses: the old secret fails, the new one works."""
    good = parameters["graph_default"]
    store(cloud, {"graph_default": good | {"password": "expired-secret"}})
    works, said = GraphHook().test_connection()
    assert not works
    assert said.startswith("EL202")
    store(cloud, {"graph_default": good})
    works, said = GraphHook().test_connection()
    assert works, said


def test_airflows_cache_of_secrets_is_for_parsing_only() -> None:
    """The setting that would cache secrets is off by default, and tasks do not use it: rotation needs no waiting."""
    from airflow.configuration import conf  # noqa: PLC0415 - after the environment

    assert conf.getboolean("secrets", "use_cache") is False


def test_a_backend_that_does_not_answer_is_no_missing_connection(
    parameters: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow calls both "not defined"; an outage is tried again, and only a missing connection waits for somebody."""
    with pytest.raises(ConfigurationError, match="There is no connection 'graph_other'"):
        GraphHook("graph_other").get_conn()
    code = """
from entra_lake.hooks.graph import GraphHook
from entra_lake.hooks.lake import open_airflow_lake
print(GraphHook().test_connection()[1])
try:
    open_airflow_lake("default")
except Exception as error:
    print(error)
"""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", "http://127.0.0.1:9")
    # In a process of its own: Airflow keeps a backend, and its client, as long as a process lives.
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    for conn_id in ("graph_default", "aws_default"):
        said = f"Airflow could not look for connection '{conn_id}': SystemsManagerParameterStoreBackend"
        assert said in done.stdout
    assert done.stdout.count("EL108") == 2


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(ErrorType.CONNECTION_NOT_FOUND, ConfigurationError), (ErrorType.API_SERVER_ERROR, SecretsUnavailableError)],
)
def test_airflows_database_away_is_no_missing_connection(
    answer: ErrorType, expected: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the supervisor answers a task for a missing connection, and while the API server has no database."""
    comms = SimpleNamespace(send=lambda _: ErrorResponse(error=answer))
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", comms, raising=False)
    with pytest.raises(expected):
        GraphHook("graph_other").get_conn()
