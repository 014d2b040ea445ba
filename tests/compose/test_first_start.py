"""What containers run of ours before and beside Airflow: secrets, connections, health."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

import first_start
import healthy
import set_up
from sandbox.serve import Sandbox

GRAPH = {"conn_type": "entra_graph", "extra": {"graph_url": "https://sandbox:8443"}}
AWS = {"conn_type": "aws", "extra": '{"endpoint_url": "http://sandbox:5000"}'}
SMTP = {"conn_type": "smtp", "host": "sandbox"}
OFFERED = {"graph_default": GRAPH, "aws_default": AWS, "smtp_default": SMTP}


def files(folder: Path) -> dict[str, str]:
    """Return the content of every file below a folder."""
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_first_start_makes_every_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All are different, long, private to their owner, and not printed; the Fernet key is one."""
    assert first_start.main([str(tmp_path)]) == 0
    made = files(tmp_path)
    assert len(set(made.values())) == len(made) == 10
    assert all(stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600 for name in made)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o700 for path in tmp_path.iterdir())
    assert Fernet(made["airflow/fernet_key"])
    assert json.loads(made["airflow/passwords.json"]) == {"admin": made["airflow/admin_password"]}
    assert made["database/password"] in made["airflow/database_url"]
    printed = capsys.readouterr()
    assert not [value for value in made.values() if value in printed.out + printed.err]


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    """What is there stays, byte for byte."""
    first_start.main([str(tmp_path)])
    before = files(tmp_path)
    assert first_start.main([str(tmp_path)]) == 0
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("database/password", "airflow"),
        ("airflow/admin_password", "MyAirflow-2026-11-25"),
        ("airflow/admin_password", "x7Kq2"),
        ("airflow/jwt_secret", "airflow_jwt_secret"),
        ("airflow/fernet_key", "81HqDtbqAywKSOumSha3BhWNOdQ26slT6K0YaZeZyPs="),
        ("airflow/fernet_key", "not-a-key-although-long-enough"),
        ("broker/password", ""),
    ],
)
def test_a_weak_secret_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, value: str) -> None:
    """A known, short or broken value stops the start; the reason names the file and not the value."""
    first_start.main([str(tmp_path)])
    (tmp_path / name).write_text(value)
    assert first_start.main([str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("REFUSED: ")
    assert name in said
    assert not value or value not in said.replace(name, "")


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Loose permissions stop the start."""
    first_start.main([str(tmp_path)])
    (tmp_path / "airflow/jwt_secret").chmod(0o644)
    assert first_start.main([str(tmp_path)]) == 1
    assert "chmod 600" in capsys.readouterr().err


def test_a_weak_setting_in_place_of_a_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that goes before a file is checked like the file."""
    monkeypatch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "a_very_secret_key")
    assert first_start.main([str(tmp_path)]) == 1
    monkeypatch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "vq3R0mXc2nT8bK5zLw7YpHs9")
    assert first_start.main([str(tmp_path)]) == 0


def test_a_new_stack_gets_the_sandbox() -> None:
    """Where no connection is, all three lead to the sandbox, and again at the next start."""
    assert set_up.plan({}, OFFERED) == (OFFERED, [], [])
    assert set_up.plan(OFFERED, OFFERED) == (OFFERED, [], [])


def test_your_own_connections_stay() -> None:
    """A connection that leads elsewhere is never written over, also while the sandbox is on."""
    own = {"graph_default": {"conn_type": "entra_graph", "extra": {}}, "aws_default": AWS}
    write, remove, kept = set_up.plan(own, OFFERED)
    assert set(write) == {"aws_default", "smtp_default"}
    assert (remove, kept) == ([], ["graph_default"])


def test_the_sandbox_takes_its_connections_along() -> None:
    """Without the profile, what led to the sandbox goes and what is yours stays: nothing brings it back."""
    existing = {"graph_default": GRAPH, "aws_default": {"conn_type": "aws", "extra": {}}, "smtp_default": SMTP}
    assert set_up.plan(existing, {}) == ({}, ["graph_default", "smtp_default"], [])


def test_a_stack_without_sandbox_and_connections_is_left_alone() -> None:
    """Nothing is made up for a live stack."""
    assert set_up.plan({}, {}) == ({}, [], [])


def test_the_sandbox_hands_over_what_airflow_needs(tmp_path: Path) -> None:
    """Connections that lead to it by its public name, private, with the CA beside them; a new secret follows."""
    folder = tmp_path / "over"
    with Sandbox(tmp_path / "cloud", with_aws=False, public_name="sandbox", hand_over_to=folder) as cloud:
        path = folder / "connections.json"
        offered = json.loads(path.read_text())
        assert set(offered) == {"graph_default", "smtp_default"}, "without AWS there is no connection to it"
        assert all(set_up.is_simulated(facts) for facts in offered.values())
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert Path(offered["graph_default"]["extra"]["verify"]) == folder / "ca.pem"
        assert (folder / "ca.pem").read_text() == cloud.tenant.ca_bundle.read_text()
        cloud.control.change_secret({"rotate": True})
        assert json.loads(path.read_text())["graph_default"]["password"] == cloud.state.client_secret
        assert offered["graph_default"]["password"] != cloud.state.client_secret


@pytest.fixture
def api() -> Iterator[tuple[str, dict[str, dict[str, str]]]]:
    """Serve Airflow's answer about its health, which tests change."""
    health: dict[str, dict[str, str]] = {}

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(health).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, args=(0.05,)).start()
    yield f"http://127.0.0.1:{server.server_port}", health
    server.shutdown()
    server.server_close()


def test_health_is_what_airflow_says(
    api: tuple[str, dict[str, dict[str, str]]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A part is healthy when its own heartbeat is, and unhealthy with the reason when it is not or nobody answers."""
    address, health = api
    monkeypatch.setattr(healthy, "API", address)
    health |= {"triggerer": {"status": "healthy"}, "dag_processor": {"status": "unhealthy"}}
    assert healthy.main(["triggerer"]) == 0
    assert healthy.main(["dag-processor"]) == 1
    assert "dag_processor is unhealthy" in capsys.readouterr().out
    monkeypatch.setattr(healthy, "API", "http://127.0.0.1:9")
    assert healthy.main(["triggerer"]) == 1


def test_the_role_is_read_from_the_first_process(tmp_path: Path) -> None:
    """The image's own health check finds out what the container is; a command that is no part is not judged."""
    line = tmp_path / "cmdline"
    line.write_bytes(b"/usr/bin/dumb-init\0--\0/opt/entra-lake/container/entrypoint\0triggerer\0--skip-serve-logs\0")
    assert healthy.role_of_container(line) == "triggerer"
    line.write_bytes(b"/usr/bin/dumb-init\0--\0/opt/entra-lake/container/entrypoint\0db\0migrate\0")
    assert healthy.role_of_container(line) == ""
