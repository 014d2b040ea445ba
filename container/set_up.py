"""Bring Airflow's database to the state that the stack needs. It may run at any time, and does at every `up`.

Migrates the database, makes the pool, and, while the sandbox's profile is on, hands the sandbox's connections over.
A connection that somebody has pointed elsewhere is never touched; one that points at the sandbox goes with it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

HAND_OVER = Path("/run/sandbox/connections.json")
SANDBOX_HOST = "sandbox"
POOL = "entra_graph"
POOL_ABOUT = "One request to Graph at a time"

Connections = dict[str, dict[str, Any]]


def main() -> int:
    """Do everything; return 1 when Airflow refuses something."""
    profiles = os.environ.get("ENTRA_LAKE_PROFILES", "").split(",")
    try:
        airflow("db", "migrate")
        airflow("pools", "set", POOL, "1", POOL_ABOUT)
        offered = json.loads(HAND_OVER.read_text()) if "sandbox" in profiles else {}
        hand_over(read_connections(), offered)
    except subprocess.CalledProcessError as error:
        print(f"FAILED: airflow {' '.join(error.cmd[1:3])}\n{error.stdout}{error.stderr}", file=sys.stderr)
        return 1
    return 0


def hand_over(existing: Connections, offered: Connections) -> None:
    """Write the sandbox's connections where none of your own are; take them away when it offers none."""
    write, remove, kept = plan(existing, offered)
    for name in remove:
        airflow("connections", "delete", name)
        print(f"Removed {name}: it led to the sandbox, which is off. Create your own: docs/docker.md, Go live.")
    for name in kept:
        print(f"SIMULATED: the sandbox is on, and {name} is yours: left as it is. Take the sandbox out of .env.")
    if write:
        import_connections(write)
        print(f"SIMULATED: {', '.join(write)} lead to the sandbox.")


def plan(existing: Connections, offered: Connections) -> tuple[Connections, list[str], list[str]]:
    """Return which connections to write, which to remove, and which of your own stay in the sandbox's way."""
    ours = {name for name, facts in existing.items() if is_simulated(facts)}
    write = {name: facts for name, facts in offered.items() if name not in existing or name in ours}
    return write, sorted(ours - set(offered)), sorted(set(offered) - set(write))


def is_simulated(facts: Mapping[str, Any]) -> bool:
    """Tell whether a connection leads to the sandbox."""
    extra = facts.get("extra") or {}
    if isinstance(extra, str):
        extra = json.loads(extra)
    addresses = [facts.get("host"), extra.get("graph_url"), extra.get("endpoint_url")]
    return SANDBOX_HOST in {urlsplit(text).hostname or text for text in addresses if text}


def read_connections() -> Connections:
    """Return the connections in Airflow's database."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "connections.json"
        airflow("connections", "export", str(path), "--file-format", "json")
        facts: Connections = json.loads(path.read_text() or "{}")
        return facts


def import_connections(connections: Connections) -> None:
    """Write connections into Airflow's database; the file that they pass through is ours alone, and goes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "connections.json"
        path.write_text(json.dumps(connections))
        airflow("connections", "import", "--overwrite", str(path))


def airflow(*arguments: str) -> None:
    """Run an Airflow command.

    :raises subprocess.CalledProcessError: when it fails.
    """
    subprocess.run(["airflow", *arguments], check=True, capture_output=True, text=True)  # noqa: S603, S607


if __name__ == "__main__":
    sys.exit(main())
