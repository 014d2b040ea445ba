"""The connection type *Microsoft Graph (Entra)*: its hook, its test button, its form."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest
from cloud_connections import change_connection

from entra_lake.errors import ConfigurationError
from entra_lake.hooks import get_provider_info
from entra_lake.hooks.graph import GraphHook
from entra_lake.hooks.lake import open_airflow_lake
from sandbox.serve import Sandbox


def test_the_test_button_says_what_it_found(cloud: Sandbox) -> None:
    """Tenant, permissions and clock skew."""
    works, said = GraphHook().test_connection()
    assert works, said
    for fact in (cloud.state.tenant_id, "AuditLog.Read.All", "skew"):
        assert fact in said


def test_the_test_button_says_what_to_do(cloud: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong secret, an empty field and a missing connection each name the remedy, and never the secret."""
    change_connection(monkeypatch, cloud, password="wrong-secret-value")
    works, said = GraphHook().test_connection()
    assert not works
    assert said.startswith("EL202")
    assert "wrong-secret-value" not in said
    change_connection(monkeypatch, cloud, extra={"tenant_id": ""})
    assert GraphHook().test_connection() == (
        False,
        "EL201: Connection 'graph_default': extra.tenant_id is empty. Fill it in; see docs/connections.md.",
    )
    works, said = GraphHook("nobody").test_connection()
    assert not works
    assert "no connection 'nobody'" in said


def test_empty_fields_of_the_form_mean_their_defaults(cloud: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's form stores empty fields as empty texts or nulls."""
    change_connection(monkeypatch, cloud, extra={"authority": "", "graph_url": None, "verify": ""})
    lake = open_airflow_lake("default")
    assert lake.graph.graph_url == "https://graph.microsoft.com"
    assert lake.graph.verify is True


def test_a_lake_uses_the_providers_session(cloud: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS is reached as Airflow's provider reaches it; a connection that is missing is named."""
    lake = open_airflow_lake("default")
    assert lake.aws.endpoint_url == cloud.settings["aws_endpoint_url"]
    assert lake.aws.session.region_name == "eu-central-1"
    assert lake.on_token is not None
    monkeypatch.delenv("AIRFLOW_CONN_GRAPH_DEFAULT")
    with pytest.raises(ConfigurationError, match="graph_default"):
        open_airflow_lake("default")


def test_the_form_is_found_without_an_installation() -> None:
    """The hand-written distribution in plugins/ announces the connection type, and Airflow accepts its form."""
    (found,) = [point for point in entry_points(group="apache_airflow_provider") if "entra_lake" in point.value]
    assert found.load() is get_provider_info
    from airflow.providers_manager import ProvidersManager  # noqa: PLC0415 - takes a second
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime  # noqa: PLC0415

    manager = ProvidersManager()
    hook = ProvidersManagerTaskRuntime().hooks["entra_graph"]
    assert hook is not None
    assert hook.hook_class_name == f"{GraphHook.__module__}.{GraphHook.__qualname__}"
    assert hook.hook_name == GraphHook.hook_name
    assert "extra__entra_graph__tenant_id" in manager.connection_form_widgets
    assert manager.field_behaviours["entra_graph"]["relabeling"]["password"] == "Client secret"
