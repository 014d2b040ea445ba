"""`make run` and `make up` as their users see them: real processes, real output."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from sandbox.aws.athena.verdicts import FOLDER_VARIABLE

pytestmark = pytest.mark.airflow

REPOSITORY = Path(__file__).parents[2]
#: A user's environment: without what Airflow's own tests have set in this process.
CLEAN = {
    name: value
    for name, value in os.environ.items()
    if name == FOLDER_VARIABLE or not name.startswith(("AIRFLOW", "ENTRA_LAKE"))
}
ENVIRONMENT = {**CLEAN, "PYTHONPATH": "plugins:.", "PYTHONDONTWRITEBYTECODE": ""}


def start(module: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a command of the Makefile in the repository."""
    command = [sys.executable, "-u", "-m", module, *arguments]
    return subprocess.Popen(
        command, cwd=REPOSITORY, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run `make run` to its end; return exit code and output."""
    with start("sandbox.local.run", "--folder", str(folder), *arguments) as process:
        output, _ = process.communicate(timeout=170)
        return process.returncode, output


def test_make_run_takes_a_day_to_an_answer(tmp_path: Path) -> None:
    """One command: it says that all is simulated, shows counts per stream and an answered query, and succeeds."""
    code, output = run(tmp_path)
    assert code == 0, output
    assert output.startswith("SIMULATED")
    for stream in ("sign_ins", "directory_audits"):
        assert re.search(rf"^{stream} +\d{{4}}-\d\d-\d\d .*rows, .* ids +yes$", output, re.MULTILINE), output
    assert re.search(r"^country +failed_sign_ins", output, re.MULTILINE), output
    assert "make up" in output


def test_make_run_says_why_it_fails(tmp_path: Path) -> None:
    """A day that nobody can collect ends with the reason, its code and exit code 1."""
    code, output = run(tmp_path, "--day", "2026-01-01")
    assert code == 1, output
    assert re.search(r"^FAILED: \[EL205\] 2026-01-01 is older than the 30 days", output, re.MULTILINE), output


def test_make_up_starts_and_stops_everything(tmp_path: Path) -> None:
    """The UI answers on its port, 28 days are in the lake, the password is private; Ctrl-C leaves nothing."""
    port = free_port()
    with start("sandbox.local.up", "--folder", str(tmp_path), "--port", str(port), "--detected-days", "1") as process:
        lines = []
        for line in process.stdout or ():
            lines.append(line)
            if line.startswith("  3. "):
                break
        output = "".join(lines)
        assert "Ready" in output, output
        assert "52 of 52" in output
        health = requests.get(f"http://127.0.0.1:{port}/api/v2/monitor/health", timeout=10).json()
        assert health["scheduler"]["status"] == "healthy"
        assert requests.get(f"http://127.0.0.1:{port}/api/v2/dags", timeout=10).status_code == 401
        keys = tmp_path / "airflow" / "keys.json"
        assert stat.S_IMODE(keys.stat().st_mode) == 0o600
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    left = subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True, check=False).stdout.split()
    assert left == []


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
