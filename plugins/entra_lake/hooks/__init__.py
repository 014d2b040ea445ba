"""Where Airflow's connections become the library's: the connection type *Microsoft Graph (Entra)*.

Airflow asks installed distributions for connection types. `plugins/entra_lake_provider-0.1.0.dist-info`
is one, written by hand: nothing has to be installed. Each Airflow process finds it if plugins/ is on its
PYTHONPATH; adding plugins/ later, as Airflow does for plugins, shows it to the command line only.
"""

from __future__ import annotations

from typing import Any, Final

_TEXT: Final = {"type": ["string", "null"]}


def get_provider_info() -> dict[str, Any]:
    """Describe the connection type and its form; Airflow reads it without importing the hook."""
    return {
        "package-name": "entra-lake-provider",
        "name": "Entra Lake",
        "description": "Microsoft Entra ID sign-in and audit logs in your own S3.",
        "connection-types": [
            {
                "connection-type": "entra_graph",
                "hook-name": "Microsoft Graph (Entra)",
                "hook-class-name": "entra_lake.hooks.graph.GraphHook",
                "conn-fields": _FIELDS,
                "ui-field-behaviour": _BEHAVIOUR,
            }
        ],
    }


_FIELDS: Final = {
    "tenant_id": {
        "label": "Directory (tenant) ID",
        "description": "The GUID on the tenant's overview page in the Entra admin centre.",
        "schema": {"type": "string", "minLength": 1},
    },
    "authority": {
        "label": "Authority",
        "description": "Empty for the global cloud. National clouds: https://login.microsoftonline.us and others.",
        "schema": _TEXT,
    },
    "graph_url": {
        "label": "Graph address",
        "description": "Empty for the global cloud. The token is sent to this address and to no other.",
        "schema": _TEXT,
    },
    "verify": {
        "label": "CA bundle",
        "description": "Empty, or the path of a CA bundle on every worker. TLS checks cannot be switched off.",
        "schema": _TEXT,
    },
}

_BEHAVIOUR: Final = {
    "hidden-fields": ["host", "schema", "port", "extra"],
    "relabeling": {"login": "Application (client) ID", "password": "Client secret"},
    "placeholders": {
        "login": "00000000-0000-0000-0000-000000000000",
        "password": "the secret's value, not its id",
        "tenant_id": "00000000-0000-0000-0000-000000000000",
        "authority": "https://login.microsoftonline.com",
        "graph_url": "https://graph.microsoft.com",
    },
}
