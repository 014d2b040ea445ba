"""The container `watch`: connections from Airflow, a look from outside of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cloud_connections import REPOSITORY

from sandbox.environment import environment
from sandbox.serve import Sandbox

PREFIX = "AIRFLOW_CONN_"
SIGHT = "Lake default has not begun: no run has written its lake.json yet."


@pytest.fixture(name="secrets_file")
def move_connections_to_a_backend(cloud: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let Airflow find the connections in a secrets backend, and nowhere else."""
    variables = environment(cloud.state.folder)
    held = {name.removeprefix(PREFIX).lower(): text for name, text in variables.items() if name.startswith(PREFIX)}
    for name in held:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}")
    path = tmp_path / "connections.json"
    path.write_text(json.dumps({name: json.loads(text) for name, text in held.items()}))
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", "airflow.secrets.local_filesystem.LocalFilesystemBackend")
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND_KWARGS", json.dumps({"connections_file_path": str(path)}))
    return path


@pytest.fixture(name="container")
def start_watch(secrets_file: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run what the container runs, with a look each second."""
    path = f"{REPOSITORY / 'plugins'}:{REPOSITORY}"
    with subprocess.Popen(
        [sys.executable, REPOSITORY / "container" / "watch.py", "1"],
        env={**os.environ, "PYTHONPATH": path, "ENTRA_LAKE_WATCH_FILE": str(tmp_path / "alive")},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


@pytest.mark.slow
def test_the_last_known_connections_serve(container: subprocess.Popen[str], secrets_file: Path, tmp_path: Path) -> None:
    """The watch finds the lake by Airflow's connections, says it is alive, and goes on when Airflow is away."""
    assert container.stdout
    assert container.stdout.readline().strip() == f"default: {SIGHT}"
    secrets_file.unlink()
    told = iter(lambda: container.stdout.readline().strip(), "")  # type: ignore[union-attr]
    assert next(line for line in told if "the last known ones serve" in line)
    assert next(told) == f"default: {SIGHT}"
    assert time.time() - (tmp_path / "alive").stat().st_mtime < 60
