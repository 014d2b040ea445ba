"""Microsoft Graph as Airflow sees it: a hook over the library's client."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from entra_lake.clock import system_clock
from entra_lake.connections import Connection, GraphConnection
from entra_lake.errors import ConfigurationError, EntraLakeError
from entra_lake.gate import Gate, LocalBudget
from entra_lake.graph import Check, GraphClient
from entra_lake.hooks.secrets import find_connection

#: Seconds between our clock and Graph's above which a test of the connection warns: tokens live by the clock.
LARGEST_SKEW = 60.0


class GraphHook(BaseHook):
    """Ask Microsoft Graph for audit logs, with the application of an Airflow connection.

    :param graph_conn_id: a connection of the type *Microsoft Graph (Entra)*: login = application (client) id,
        password = client secret; extra: `tenant_id`, and `authority`, `graph_url`, `verify` where they differ
        from the global cloud's.
    :param requests_per_10_seconds: the pace of this hook's own client. Tasks of a lake share a budget instead:
        see `Lake.open_graph`.
    """

    conn_type = "entra_graph"
    conn_name_attr = "graph_conn_id"
    default_conn_name = "graph_default"
    hook_name = "Microsoft Graph (Entra)"

    def __init__(
        self,
        graph_conn_id: str = default_conn_name,
        *,
        requests_per_10_seconds: int = 5,
        **kwargs: Any,  # noqa: ANN401 - BaseHook's own
    ) -> None:
        super().__init__(**kwargs)
        self.graph_conn_id = graph_conn_id
        self.requests_per_10_seconds = requests_per_10_seconds

    def get_conn(self) -> GraphClient:
        """Return a client; close it, or use it in a `with` block.

        :raises ConfigurationError: when the connection is missing or a field of it is wrong.
        """
        clock = system_clock()
        gate = Gate(LocalBudget(), clock, requests_per_10_seconds=self.requests_per_10_seconds)
        connection = GraphConnection.from_connection(read_airflow_connection(self.graph_conn_id))
        return GraphClient(connection, gate=gate, clock=clock, on_token=mask_secret)

    def test_connection(self) -> tuple[bool, str]:
        """Fetch a token and read one record; say what was found, or what to do."""
        try:
            with self.get_conn() as client:
                return True, _describe(client.check())
        except EntraLakeError as error:
            return False, f"{error.code}: {error.message}"


def read_airflow_connection(conn_id: str) -> Connection:
    """Return an Airflow connection, from whichever secrets backend holds it, as the library knows it.

    :raises ConfigurationError: when there is none, or its extra is no JSON object.
    :raises SecretsUnavailableError: when nobody could look.
    """
    found = find_connection(conn_id)
    if found is None:
        message = f"There is no connection {conn_id!r}. Create it in Airflow; see docs/connections.md."
        raise ConfigurationError(message)
    if found.password:
        mask_secret(found.password)
    extra = found.extra_dejson
    if not isinstance(extra, dict):
        message = f"Connection {conn_id!r}: extra is not a JSON object. See docs/connections.md for its form."
        raise ConfigurationError(message)
    return Connection(
        conn_id=conn_id,
        conn_type=found.conn_type or "",
        host=found.host,
        port=found.port,
        login=found.login,
        password=found.password,
        extra={name: value for name, value in extra.items() if value not in (None, "")},
    )


def _describe(check: Check) -> str:
    tenant = ", ".join(filter(None, (check.tenant_name, check.tenant_id)))
    roles = ", ".join(check.roles) or "none visible: the token is opaque"
    skew = f"clock skew {check.clock_skew:+.1f} s"
    warning = " Set the clock of this machine: tokens depend on it." if abs(check.clock_skew) > LARGEST_SKEW else ""
    return f"Tenant: {tenant or 'unnamed'}. Permissions: {roles}. {skew.capitalize()}.{warning}"
