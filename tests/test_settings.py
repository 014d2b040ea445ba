"""Settings, connections and SQL texts: what is wrong is named, and nothing strange reaches a statement."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from entra_lake.connections import GraphConnection, read_connection
from entra_lake.errors import ConfigurationError
from entra_lake.settings import INCLUDE_VARIABLE, include_folder, read_lake, read_lakes
from entra_lake.sql import quote, render

GOOD = {"conn_type": "entra_graph", "login": "app", "password": "secret", "extra": {"tenant_id": "t-1"}}


def lakes(folder: Path, entry: Any, name: str = "default") -> Path:
    """Write a lakes.yaml."""
    path = folder / "lakes.yaml"
    path.write_text(yaml.safe_dump({name: entry}))
    return path


def test_the_shipped_settings_are_right() -> None:
    """include/lakes.yaml has a default lake that keeps every stream."""
    lake = read_lake(path=Path(__file__).parents[1] / "include" / "lakes.yaml")
    assert (lake.name, lake.dag_suffix, lake.streams) == ("default", "", ("sign_ins", "directory_audits"))


def test_a_free_tenant_needs_one_setting(tmp_path: Path) -> None:
    """Where logs are kept for 7 days, the ages at which a day is read again fit into them by themselves."""
    lake = read_lakes(lakes(tmp_path, {"bucket": "b-b", "retention_days": 7}))["default"]
    assert lake.reread_ages == (1, 2, 3, 5, 6)


def test_more_lakes_have_dags_of_their_own(tmp_path: Path) -> None:
    """A lake's name is what its DAG ids end in."""
    lake = read_lakes(lakes(tmp_path, {"bucket": "their-bucket"}, name="customer_a"))["customer_a"]
    assert lake.dag_suffix == "__customer_a"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"bucket": "Not A Bucket"}, "bucket is"),
        ({"bucket": "b-b", "database": "x; DROP"}, "database is"),
        ({"bucket": "b-b", "prefix": "a'b"}, "prefix is"),
        ({"bucket": "b-b", "streams": ["sign_ins", "signins"]}, "streams is"),
        ({"bucket": "b-b", "retention_days": 0}, "retention_days is"),
        ({"bucket": "b-b", "reread_ages": [1, 40]}, "reread_ages is"),
        ({"bucket": "b-b", "retention": 7}, "unknown settings retention"),
        ({"bucket": "b-b", "mail": {"too": "x"}}, "mail: known settings"),
        ({}, "bucket"),
        ("entra", "expected settings"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, entry: Any, said: str) -> None:
    """The message names file, lake and setting."""
    with pytest.raises(ConfigurationError, match=said):
        read_lakes(lakes(tmp_path, entry))


def test_a_missing_file_says_where_it_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Managed Airflow ships include/ elsewhere: the variable is named."""
    monkeypatch.setenv(INCLUDE_VARIABLE, str(tmp_path))
    assert include_folder() == tmp_path
    with pytest.raises(ConfigurationError, match=INCLUDE_VARIABLE):
        read_lakes()


def graph_connection(**changes: Any) -> GraphConnection:
    """Read a Graph connection from its environment variable."""
    text = json.dumps({**GOOD, **changes})
    return GraphConnection.from_connection(read_connection("graph_default", {"AIRFLOW_CONN_GRAPH_DEFAULT": text}))


def test_a_graph_connection_needs_three_fields() -> None:
    """Application, secret and tenant are enough for the global cloud; no field shows the secret."""
    connection = graph_connection()
    assert connection.authority == "https://login.microsoftonline.com/t-1"
    assert connection.graph_url == "https://graph.microsoft.com"
    assert connection.verify is True
    assert "secret" not in repr(connection).replace("client_secret", "")


def test_extra_may_be_text() -> None:
    """Airflow exports `extra` as JSON text at times."""
    assert graph_connection(extra=json.dumps({"tenant_id": "t-2"})).tenant_id == "t-2"


@pytest.mark.fault(5, 61)
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"login": ""}, "application id"),
        ({"password": None}, "client secret"),
        ({"extra": {}}, "tenant_id"),
        ({"extra": {"tenant_id": "t", "graph_url": "http://graph.microsoft.com"}}, "graph_url must be an https"),
        ({"extra": {"tenant_id": "t", "graph_url": "https://user@graph.microsoft.com"}}, "graph_url must be an https"),
        ({"extra": {"tenant_id": "t", "authority": "http://login"}}, "authority must be an https"),
        ({"extra": {"tenant_id": "t", "verify": False}}, "cannot be switched off"),
        ({"extra": {"tenant_id": "t", "verify": "/no/such/file"}}, "cannot be switched off"),
    ],
)
def test_wrong_fields_are_named(changes: dict[str, Any], said: str) -> None:
    """The message names the connection's field; TLS checks cannot be turned off."""
    with pytest.raises(ConfigurationError, match=said):
        graph_connection(**changes)


@pytest.mark.parametrize("text", ["", "postgres://x", "[]"])
def test_connections_are_json_objects(text: str) -> None:
    """A connection that is absent or in another form is named by its variable."""
    with pytest.raises(ConfigurationError, match="AIRFLOW_CONN_AWS_DEFAULT"):
        read_connection("aws_default", {"AIRFLOW_CONN_AWS_DEFAULT": text})


@pytest.mark.parametrize("name", ["x`y", "x; DROP TABLE y", "Upper", "1st", "_x", ""])
def test_names_cannot_change_a_statement(name: str) -> None:
    """A database or table that is no plain name is refused."""
    with pytest.raises(ConfigurationError):
        render("tables/repair_partitions.sql", database="d", table=name)


def test_texts_are_quoted() -> None:
    """A quote in a text stays in the text; control characters and backslashes are refused."""
    assert quote("it's") == "'it''s'"
    assert quote(date(2026, 11, 22)) == "'2026-11-22'"
    for text in ("a\\", "a\nb", "\x00"):
        with pytest.raises(ConfigurationError):
            quote(text)
