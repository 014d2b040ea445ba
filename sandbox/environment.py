"""The settings with which Airflow and Entra Lake find a sandbox."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from sandbox.clock import Clock
from sandbox.provision import ACCESS_KEY, REGION, SECRET_KEY
from sandbox.state import write_private


def environment(state_dir: Path) -> dict[str, str]:
    """Return environment variables for the sandbox of this folder.

    :raises FileNotFoundError: when no sandbox was ever started there.
    """
    settings = json.loads((state_dir / "sandbox.json").read_text())
    state = json.loads((state_dir / "state.json").read_text())
    graph = {
        "conn_type": "entra_graph",
        "login": settings["client_id"],
        "password": state["client_secret"],
        "extra": {
            "tenant_id": settings["tenant_id"],
            "authority": settings["authority"],
            "graph_url": settings["graph_url"],
            "verify": settings["ca_bundle"],
        },
    }
    smtp = {
        "conn_type": "smtp",
        "host": settings["smtp_host"],
        "port": settings["smtp_port"],
        "extra": {
            "from_email": "entra-lake@winter-gardens.example",
            "disable_ssl": True,
            "disable_tls": True,
            "timeout": 5,
            "retry_limit": 2,
        },
    }
    return {
        "AIRFLOW_CONN_GRAPH_DEFAULT": json.dumps(graph),
        **_aws(settings["aws_endpoint_url"]),
        "AIRFLOW_CONN_SMTP_DEFAULT": json.dumps(smtp),
        "ENTRA_LAKE_CLOCK_OFFSET_SECONDS": str(Clock(**state["clock"]).offset_seconds),
        "ENTRA_LAKE_SIMULATED": "1",
    }


def hand_over(state_dir: Path, folder: Path) -> None:
    """Write Airflow's connections, and the certificate that they need, for another container that sees the folder.

    `connections.json` is what `airflow connections import` takes; only the owner may read it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = json.loads((state_dir / "sandbox.json").read_text())
    authority = folder / "ca.pem"
    write_private(authority, Path(settings["ca_bundle"]).read_text())
    variables = environment(state_dir)
    prefix = "AIRFLOW_CONN_"
    connections = {
        name.removeprefix(prefix).lower(): json.loads(value)
        for name, value in variables.items()
        if name.startswith(prefix)
    }
    connections["graph_default"]["extra"]["verify"] = str(authority)
    write_private(folder / "connections.json", json.dumps(connections, indent=1))


def _aws(endpoint_url: str | None) -> dict[str, str]:
    """Return the AWS connection; none where the sandbox runs without AWS."""
    if endpoint_url is None:
        return {}
    aws = {
        "conn_type": "aws",
        "login": ACCESS_KEY,
        "password": SECRET_KEY,
        "extra": {"region_name": REGION, "endpoint_url": endpoint_url},
    }
    return {"AIRFLOW_CONN_AWS_DEFAULT": json.dumps(aws)}


def as_shell(variables: dict[str, str]) -> str:
    """Write the variables as lines that a shell can read."""
    return "".join(f"{name}={quote(value)}\n" for name, value in variables.items())


def quote(value: str) -> str:
    """Quote always, also where a shell would not need it."""
    quoted = shlex.quote(value)
    return quoted if quoted.startswith("'") else f"'{quoted}'"
