"""Airflow with its web UI on this machine, in processes of its own: its settings, keys, pool and connections."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from sandbox.local.airflow_home import MIGRATE, airflow, airflow_environment, run_airflow
from sandbox.local.processes import Processes

HOST = "127.0.0.1"
POOL = "entra_graph"


def environment_of(folder: Path, settings: Mapping[str, str], port: int) -> dict[str, str]:
    """Return the environment in which every process of this folder's Airflow runs."""
    home = folder / "airflow"
    home.mkdir(parents=True, exist_ok=True)
    keys = keys_of(home)
    own = {name: value for name, value in settings.items() if not name.startswith("AIRFLOW_CONN")}
    return {
        **airflow_environment(home, own),
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://{HOST}:{port}",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": keys["api"],
        "AIRFLOW__API_AUTH__JWT_SECRET": keys["jwt"],
        "AIRFLOW__CORE__FERNET_KEY": keys["fernet"],
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{HOST}:{port}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,viewer:viewer",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "ENTRA_LAKE_POOL": POOL,
    }


def keys_of(home: Path) -> dict[str, str]:
    """Return this folder's keys and password; they are made at its first start and readable by its owner only."""
    from cryptography.fernet import Fernet  # noqa: PLC0415 - Airflow brings it

    path = home / "keys.json"
    if not path.exists():
        keys = {
            "api": secrets.token_urlsafe(32),
            "jwt": secrets.token_urlsafe(48),
            "fernet": Fernet.generate_key().decode(),
            "password": secrets.token_urlsafe(9),
            "viewer": secrets.token_urlsafe(9),
        }
        _write_private(path, keys)
        _write_private(home / "passwords.json", {"admin": keys["password"], "viewer": keys["viewer"]})
    facts: dict[str, str] = json.loads(path.read_text())
    return facts


def _write_private(path: Path, facts: Mapping[str, Any]) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(facts, file)


def start_airflow(
    processes: Processes, folder: Path, env: Mapping[str, str], settings: Mapping[str, str], port: int
) -> None:
    """Make the database, and start every part of Airflow."""
    _set_up(folder, env, settings)
    processes.start("api-server", airflow("api-server", "--host", HOST, "--port", str(port)), env)
    processes.start("dag-processor", airflow("dag-processor"), env)
    # `airflow standalone` would listen for logs on every interface; the UI reads the files themselves.
    processes.start("scheduler", airflow("scheduler", "--skip-serve-logs"), env)
    processes.start("triggerer", airflow("triggerer", "--skip-serve-logs"), env)


def _set_up(folder: Path, env: Mapping[str, str], settings: Mapping[str, str]) -> None:
    """Make database, pool and connections; those of the environment would not show in the UI."""
    names = [name for name in settings if name.startswith("AIRFLOW_CONN_")]
    connections = {name.removeprefix("AIRFLOW_CONN_").lower(): json.loads(settings[name]) for name in names}
    path = folder / "airflow" / "connections.json"
    _write_private(path, connections)
    pool = ("pools", "set", POOL, "1", "One request to Graph at a time")
    run_airflow(env, folder / "logs" / "set-up.log", MIGRATE, ("connections", "import", "--overwrite", str(path)), pool)
    path.unlink()


def is_healthy(port: int) -> bool:
    """Tell whether every part of Airflow says that it is well."""
    try:
        health = requests.get(f"http://{HOST}:{port}/api/v2/monitor/health", timeout=5).json()
    except (requests.RequestException, ValueError):
        return False
    parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
    return all((health.get(part) or {}).get("status") == "healthy" for part in parts)
