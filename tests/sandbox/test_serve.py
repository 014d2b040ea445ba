"""The command: one line when ready, a clean end, the same tenant again after a kill, settings for Airflow."""

from __future__ import annotations

import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from tenant_visitor import Visitor

from sandbox.__main__ import main
from sandbox.provision import client, provision
from sandbox.serve import Sandbox

ROOT = Path(__file__).resolve().parents[2]
LASTING = ("tenant_id", "client_id", "client_secret", "story_day", "tenant_name")


@contextmanager
def command(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    line = [sys.executable, "-m", "sandbox", "serve", "--state-dir", str(folder), "--no-aws", *options]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with subprocess.Popen(
        line, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def test_it_says_where_it_is_and_ends_cleanly(tmp_path: Path) -> None:
    """One JSON line on stdout, the same in a private sandbox.json; SIGTERM ends it within two seconds, status 0."""
    with command(tmp_path, "--seed", "7", "--now", "2026-11-23T05:00:00Z") as (process, settings):
        assert settings["simulated"] is True
        assert settings["now"].startswith("2026-11-23T05:00:0")
        assert json.loads((tmp_path / "sandbox.json").read_text()) == settings
        assert stat.S_IMODE((tmp_path / "sandbox.json").stat().st_mode) == 0o600
        assert requests.get(settings["control_url"] + "/state", timeout=5).json()["seed"] == 7
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=5)
        assert time.monotonic() - began < 2
        assert (process.returncode, output, errors) == (0, "", "")


def test_a_killed_sandbox_resumes(tmp_path: Path) -> None:
    """After SIGKILL the next one on the folder has the same ids, secret, authority, clock, story and added records."""
    with command(tmp_path, "--seed", "7", "--now", "2026-11-23T05:00:00Z") as (process, first):
        record = {"id": "kept", "createdDateTime": "2026-11-22T12:00:00Z"}
        requests.post(first["control_url"] + "/records", json={"stream": "sign_ins", "record": record}, timeout=5)
        process.kill()
    authority = (tmp_path / "ca.pem").read_bytes()
    with command(tmp_path) as (_, second):
        assert {name: first[name] for name in LASTING} == {name: second[name] for name in LASTING}
        assert (tmp_path / "ca.pem").read_bytes() == authority
        assert second["now"].startswith("2026-11-23T05:0")
        truth = requests.get(second["control_url"] + "/truth?stream=sign_ins&day=2026-11-22", timeout=5)
        assert '"kept"' in truth.text


def test_a_taken_port_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """When a port is taken nothing stays behind, and the message says so."""
    with Sandbox(tmp_path / "one", with_aws=False) as cloud:
        port = cloud.settings["control_url"].rsplit(":", 1)[1]
        options = ["serve", "--state-dir", str(tmp_path / "two"), "--no-aws", "--control-port", port]
        threads = threading.active_count()
        assert main(options) == 1
        assert threading.active_count() == threads
    assert capsys.readouterr().err.startswith("The sandbox cannot start: ")


def test_nothing_is_left_behind_in_a_process(tmp_path: Path) -> None:
    """Leaving the `with` block ends every thread, also while clients are still connected."""
    before = threading.active_count()
    with Sandbox(tmp_path, with_aws=False, throttled=False) as cloud:
        visitor = Visitor(cloud)
        assert visitor.get("/signIns?$top=1").status_code == 200
        began = time.monotonic()
    assert time.monotonic() - began < 1
    assert threading.active_count() == before


def test_a_public_name_is_used_everywhere(tmp_path: Path) -> None:
    """Certificate, discovery, next links and printed addresses all carry the name that clients use."""
    with Sandbox(tmp_path, with_aws=False, throttled=False, public_name="localhost") as cloud:
        assert all(
            "//localhost:" in cloud.settings[name] for name in ("graph_url", "authority", "mail_url", "control_url")
        )
        visitor = Visitor(cloud)
        discovery = visitor.session.get(cloud.settings["authority"] + "/v2.0/.well-known/openid-configuration").json()
        assert discovery["token_endpoint"].startswith("https://localhost:")
        assert "https://localhost:" in visitor.get("/signIns?$top=1").json()["@odata.nextLink"]


def test_the_settings_can_be_read_by_a_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Quoted lines give back the connections; the clock's offset is 0 unless the clock was set."""
    with Sandbox(tmp_path, with_aws=False) as cloud:
        settings = cloud.settings
    assert main(["env", "--state-dir", str(tmp_path)]) == 0
    variables = dict(part.split("=", 1) for part in shlex.split(capsys.readouterr().out))
    graph = json.loads(variables["AIRFLOW_CONN_GRAPH_DEFAULT"])
    assert (graph["login"], graph["password"]) == (settings["client_id"], settings["client_secret"])
    assert graph["extra"]["verify"] == settings["ca_bundle"]
    assert json.loads(variables["AIRFLOW_CONN_SMTP_DEFAULT"])["port"] == settings["smtp_port"]
    assert (variables["ENTRA_LAKE_CLOCK_OFFSET_SECONDS"], variables["ENTRA_LAKE_SIMULATED"]) == ("0", "1")
    assert main(["env", "--state-dir", str(tmp_path), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == variables
    assert main(["env", "--state-dir", str(tmp_path / "none")]) == 1


def test_the_offset_follows_the_clock(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a clock of its own the sandbox tells tasks how far it is from the system's."""
    with Sandbox(tmp_path, now=datetime(2026, 1, 1, tzinfo=UTC), with_aws=False):
        expected = datetime(2026, 1, 1, tzinfo=UTC).timestamp() - time.time()
    main(["env", "--state-dir", str(tmp_path), "--format", "json"])
    assert abs(int(json.loads(capsys.readouterr().out)["ENTRA_LAKE_CLOCK_OFFSET_SECONDS"]) - expected) < 5


def test_aws_holds_what_cloudformation_owns(tmp_path: Path) -> None:
    """Bucket, database and workgroup are there, with a place for results; twice is as good as once."""
    pytest.importorskip("sandbox.aws.server")
    with Sandbox(tmp_path) as cloud:
        url = cloud.settings["aws_endpoint_url"]
        provision(url)
        assert [bucket["Name"] for bucket in client("s3", url).list_buckets()["Buckets"]] == ["entra-lake"]
        assert client("glue", url).get_database(Name="entra_lake")["Database"]["Name"] == "entra_lake"
        group = client("athena", url).get_work_group(WorkGroup="entra_lake")["WorkGroup"]["Configuration"]
        assert group["EnforceWorkGroupConfiguration"] is True
        assert group["ResultConfiguration"]["OutputLocation"] == "s3://entra-lake/athena-results/"
