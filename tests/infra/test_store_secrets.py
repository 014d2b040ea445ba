"""infra/store_secrets.py: secrets reach SSM, and nothing else."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from sandbox.aws.server import AwsServer
from sandbox.provision import REGION

SCRIPT = Path(__file__).parents[2] / "infra" / "store_secrets.py"
KEY = "alias/entra-lake"
SECRET = "s3cret~value-that-nobody-sees"
CONNECTIONS: dict[str, dict[str, Any]] = {
    "graph_default": {
        "conn_type": "entra_graph",
        "login": "11111111-2222-3333-4444-555555555555",
        "password": SECRET,
        "extra": {"tenant_id": "66666666-7777-8888-9999-000000000000"},
    },
    "aws_default": {"conn_type": "aws", "extra": {"region_name": REGION}},
    "smtp_default": {
        "conn_type": "smtp",
        "host": "email-smtp.eu-central-1.amazonaws.com",
        "port": 587,
        "login": "AKIAEXAMPLE",
        "password": SECRET,
        "extra": {"from_email": "entra-lake@example.com", "disable_ssl": True},
    },
}


@pytest.fixture(name="aws", scope="module")
def start_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsServer]:
    """Start a simulated AWS."""
    server = AwsServer(tmp_path_factory.mktemp("aws"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(name="environ")
def make_environ(aws: AwsServer) -> dict[str, str]:
    """Return an environment in which boto3 finds the simulated AWS, and nothing else."""
    return {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL_SSM": aws.endpoint_url,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
    }


def run(environ: dict[str, str], *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the script."""
    return subprocess.run(
        [sys.executable, SCRIPT, "--key", KEY, *arguments],
        env=environ,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def stored(aws: AwsServer, name: str) -> dict[str, Any]:
    """Return a parameter as SSM describes it, decrypted."""
    ssm = boto3.client(
        "ssm",
        endpoint_url=aws.endpoint_url,
        region_name=REGION,
        aws_access_key_id="any",
        aws_secret_access_key="any",
    )
    described = ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": [name]}])["Parameters"][0]
    return described | ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]


def test_a_file_is_stored_encrypted(aws: AwsServer, environ: dict[str, str], tmp_path: Path) -> None:
    """Each connection of a private file becomes a SecureString under the key, as it stands; none is printed."""
    path = tmp_path / "secrets.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(CONNECTIONS))
    done = run(environ, "--file", str(path))
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    for name, connection in CONNECTIONS.items():
        parameter = stored(aws, f"/airflow/connections/{name}")
        assert (parameter["Type"], parameter["KeyId"]) == ("SecureString", KEY)
        assert json.loads(parameter["Value"]) == connection


def test_a_file_that_others_read_is_refused(environ: dict[str, str], tmp_path: Path) -> None:
    """Secrets in a file that others may read are stored nowhere: they are secrets no more."""
    path = tmp_path / "secrets.json"
    path.write_text(json.dumps(CONNECTIONS))
    path.chmod(0o644)
    done = run(environ, "--file", str(path))
    assert done.returncode == 1
    assert "chmod 600" in done.stderr


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"extra": {}}, "extra.tenant_id is empty"),
        ({"password": ""}, "password (client secret) is empty"),
        ({"conn_type": "http"}, "conn_type is 'http'"),
    ],
)
def test_what_the_pipeline_could_not_use_is_refused(
    environ: dict[str, str], changes: dict[str, Any], expected: str
) -> None:
    """A connection is read as the pipeline reads it before it replaces one that works; the secret is not shown."""
    wrong = {"graph_default": CONNECTIONS["graph_default"] | changes}
    done = run(environ, "--file", "-", stdin=json.dumps(wrong))
    assert done.returncode == 1
    assert expected in done.stderr
    assert SECRET not in done.stderr
    assert done.stdout == ""


def test_no_answer_of_ssm_shows_a_secret(environ: dict[str, str]) -> None:
    """When SSM refuses or is out of reach, the message names the parameter and no value."""
    text = json.dumps({"graph_default": CONNECTIONS["graph_default"]})
    refused = run(environ, "--prefix", "/aws/reserved", "--file", "-", stdin=text)
    away = run(
        environ | {"AWS_ENDPOINT_URL_SSM": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}, "--file", "-", stdin=text
    )
    for done in (refused, away):
        assert done.returncode == 1
        assert "graph_default: SSM " in done.stderr
        assert SECRET not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_rotation_asks_for_one_connection_and_does_not_echo(aws: AwsServer, environ: dict[str, str]) -> None:
    """At a terminal the secret that is typed does not appear, and becomes the parameter's next version."""
    before = run(environ, "--file", "-", stdin=json.dumps(CONNECTIONS))
    assert before.returncode == 0
    version = stored(aws, "/airflow/connections/graph_default")["Version"]
    answers = {"ID: ": "an-application", "not its id): ": "typed-" + SECRET, "(tenant) ID: ": "a-tenant"}
    seen, status = type_answers(
        [sys.executable, str(SCRIPT), "--key", KEY, "--only", "graph_default"], environ, answers
    )
    assert status == 0, seen
    assert "an-application" in seen
    assert SECRET not in seen
    parameter = stored(aws, "/airflow/connections/graph_default")
    assert parameter["Version"] == version + 1
    assert json.loads(parameter["Value"])["password"] == "typed-" + SECRET
    assert json.loads(stored(aws, "/airflow/connections/smtp_default")["Value"]) == CONNECTIONS["smtp_default"]


def type_answers(command: list[str], environ: dict[str, str], answers: dict[str, str]) -> tuple[str, int]:
    """Run a command at a terminal, type each answer behind its question; return all that the terminal showed."""
    process, terminal = pty.fork()
    if process == 0:
        os.execve(command[0], command, environ)
    seen, left = "", list(answers.items())
    while True:
        try:
            piece = os.read(terminal, 4096).decode()
        except OSError:  # the other end has closed
            break
        if not piece:
            break
        seen += piece
        if left and seen.rstrip("\r\n").endswith(left[0][0]):
            os.write(terminal, f"{left.pop(0)[1]}\n".encode())
    os.close(terminal)
    return seen, os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
