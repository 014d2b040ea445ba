"""Airflow's web UI with a filled, simulated lake behind it, as `make up` starts it: one for all tests here."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml
from running_ui import WebUi

from sandbox.aws.athena.verdicts import FOLDER_VARIABLE

REPOSITORY = Path(__file__).parents[2]
#: Filled but for the first and the last one.
DAYS = 5
#: The detections that run here: those of the story's climax.
RULES = (
    "application_credential_added",
    "break_glass_account_used",
    "consent_to_application",
    "mfa_fatigue",
    "password_spray",
    "privileged_role_assigned",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder, so that `make quick` leaves it out."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.airflow)


@pytest.fixture(scope="package")
def web_ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebUi]:
    """Start everything, and stop it behind the last test."""
    folder, port = tmp_path_factory.mktemp("up"), _free_port()
    with _start(folder, port) as process:
        output = []
        for line in process.stdout or ():
            output.append(line)
            if line.startswith("  3. "):
                break
        assert any(line.startswith("Ready") for line in output), "".join(output)
        home = folder / "airflow"
        generated = home / "simple_auth_manager_passwords.json.generated"
        known = home / "passwords.json"
        passwords = json.loads(known.read_text()) | (json.loads(generated.read_text()) if generated.exists() else {})
        cloud = json.loads((folder / "cloud" / "sandbox.json").read_text())
        yield WebUi(f"http://127.0.0.1:{port}", cloud, passwords, folder / "cloud")
        process.send_signal(signal.SIGINT)
        process.wait(60)


@pytest.fixture(scope="package")
def admin(web_ui: WebUi) -> requests.Session:
    """Log in as somebody who may do everything."""
    return web_ui.session("admin")


def _start(folder: Path, port: int) -> subprocess.Popen[str]:
    clean = {
        name: value
        for name, value in os.environ.items()
        if name == FOLDER_VARIABLE or not name.startswith(("AIRFLOW", "ENTRA_LAKE"))
    }
    tests = str(Path(__file__).parent)
    env = {
        **clean,
        "PYTHONPATH": os.pathsep.join(["plugins", ".", tests]),
        "PYTHONDONTWRITEBYTECODE": "",
        "ENTRA_LAKE_INCLUDE": str(_make_include(folder / "include")),
        "AIRFLOW__CORE__AUTH_MANAGER": "strict_login.StrictAuthManager",
    }
    command = [sys.executable, "-u", "-m", "sandbox.local.up", "--folder", str(folder), "--port", str(port)]
    command += ["--days", str(DAYS), "--detected-days", "2"]
    return subprocess.Popen(
        command, cwd=REPOSITORY, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _make_include(folder: Path) -> Path:
    """Make an include/ folder whose lake runs only a few of the shipped detections: all of them take minutes here."""
    folder.mkdir()
    shipped = REPOSITORY / "include"
    for name in ("sql", "email"):
        (folder / name).symlink_to(shipped / name)
    lakes = yaml.safe_load((shipped / "lakes.yaml").read_text())
    known = [path.stem for path in (shipped / "sql" / "detections").glob("*.sql")]
    lakes["default"]["detections"] = {"rules": {name: {"enabled": False} for name in known if name not in RULES}}
    (folder / "lakes.yaml").write_text(yaml.safe_dump(lakes))
    return folder


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
