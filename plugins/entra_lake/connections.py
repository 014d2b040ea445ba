"""What a connection holds, read from an Airflow connection's JSON without Airflow.

Airflow's own classes are read in `hooks/`; the command line reads the same `AIRFLOW_CONN_…`
variables that Airflow does.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from entra_lake.errors import ConfigurationError

GLOBAL_AUTHORITY = "https://login.microsoftonline.com"
GLOBAL_GRAPH_URL = "https://graph.microsoft.com"


@dataclass(frozen=True, kw_only=True)
class Connection:
    """The fields that every Airflow connection has."""

    conn_id: str
    conn_type: str = ""
    host: str | None = None
    port: int | None = None
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True)
class GraphConnection:
    """How to reach one tenant's Graph as one application.

    :param authority: `https://login.microsoftonline.com/<tenant id>`.
    :param graph_url: scheme, host and port of Graph; the token goes nowhere else.
    :param verify: True, or the path of a CA bundle; there is no way to switch TLS checks off.
    """

    conn_id: str
    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    authority: str
    graph_url: str
    verify: bool | str = True

    @classmethod
    def from_connection(cls, connection: Connection) -> GraphConnection:
        """Read and check the fields of a *Microsoft Graph (Entra)* connection.

        :raises ConfigurationError: naming the field that is missing or wrong.
        """
        extra = connection.extra
        tenant_id = _required(connection, "extra.tenant_id", extra.get("tenant_id"))
        authority = str(extra.get("authority") or f"{GLOBAL_AUTHORITY}/{tenant_id}").rstrip("/")
        if urlsplit(authority).path in ("", "/"):
            authority = f"{authority}/{tenant_id}"
        return cls(
            conn_id=connection.conn_id,
            tenant_id=tenant_id,
            client_id=_required(connection, "login (application id)", connection.login),
            client_secret=_required(connection, "password (client secret)", connection.password),
            authority=_https(connection, "extra.authority", authority),
            graph_url=_https(connection, "extra.graph_url", _without_slash(extra.get("graph_url") or GLOBAL_GRAPH_URL)),
            verify=_verify(connection, extra.get("verify", True)),
        )


def read_connection(conn_id: str, environ: Mapping[str, str] = os.environ) -> Connection:
    """Read `AIRFLOW_CONN_<CONN_ID>`, written as JSON.

    :raises ConfigurationError: when it is absent or is no JSON object.
    """
    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    text = environ.get(variable)
    if not text:
        message = f"There is no connection {conn_id!r}. Set {variable} to its JSON; see docs/connections.md."
        raise ConfigurationError(message)
    try:
        fields = json.loads(text)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        message = f"{variable} is not a JSON object. See docs/connections.md for its form."
        raise ConfigurationError(message)
    return _connection(conn_id, fields)


def _connection(conn_id: str, fields: Mapping[str, Any]) -> Connection:
    extra = fields.get("extra") or {}
    return Connection(
        conn_id=conn_id,
        conn_type=str(fields.get("conn_type") or ""),
        host=fields.get("host"),
        port=int(fields["port"]) if fields.get("port") else None,
        login=fields.get("login"),
        password=fields.get("password"),
        extra=json.loads(extra) if isinstance(extra, str) else extra,
    )


def _required(connection: Connection, name: str, value: object) -> str:
    if not value:
        message = f"Connection {connection.conn_id!r}: {name} is empty. Fill it in; see docs/connections.md."
        raise ConfigurationError(message)
    return str(value)


def _without_slash(url: object) -> str:
    return str(url).rstrip("/")


def _https(connection: Connection, name: str, url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.query or parts.fragment:
        message = f"Connection {connection.conn_id!r}: {name} must be an https address without user or query."
        raise ConfigurationError(message)
    return url


def _verify(connection: Connection, value: object) -> bool | str:
    if value is True or (isinstance(value, str) and value.lower() == "true"):
        return True
    if isinstance(value, str) and Path(value).is_file():
        return value
    message = (
        f"Connection {connection.conn_id!r}: extra.verify is true or the path of a CA bundle that exists; "
        "TLS checks cannot be switched off."
    )
    raise ConfigurationError(message)
