"""Store Airflow's connections as SecureStrings in SSM Parameter Store; CloudFormation cannot make these.

    python infra/store_secrets.py --key alias/entra-lake                        asks for everything
    python infra/store_secrets.py --key alias/entra-lake --only graph_default   asks for one: a new client secret
    python infra/store_secrets.py --key alias/entra-lake --file secrets.json    reads them from a file of mode 0600
    python infra/store_secrets.py --key alias/entra-lake --file -               reads them from standard input

The file holds {"graph_default": {…}, …}, each connection as docs/connections.md shows it. Secrets are asked for without
echo, and never stand on a command line, in the environment or in an error message. Region and keys are those of the
AWS command line (AWS_PROFILE, AWS_REGION). Never run against real AWS yet; tests run it against the sandbox's SSM.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plugins"))

from entra_lake.aws import Aws
from entra_lake.connections import GraphConnection, read_connection
from entra_lake.errors import ConfigurationError

PREFIX = "/airflow/connections"
#: A SecureString of the standard tier holds no more.
MOST_BYTES = 4096

Connections = dict[str, dict[str, Any]]


class RefusedError(Exception):
    """What is to be stored is not usable; the message holds no secret."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Store the connections; return 1 with the reason when one is wrong or SSM refuses it."""
    options = _parser().parse_args(arguments)
    try:
        connections = read_file(options.file) if options.file else ask(options.only or list(QUESTIONS))
        if options.only:
            connections = {name: connections[name] for name in options.only if name in connections}
        check(connections)
        for name, connection in connections.items():
            print(store(name, connection, options))
    except RefusedError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; what was reported as stored is stored.", file=sys.stderr)
        return 130
    return 0


def ask(names: Sequence[str]) -> Connections:
    """Ask for connections, secrets without echo."""
    found: Connections = {}
    for name in names:
        print(f"\n{name}", file=sys.stderr)
        found[name] = QUESTIONS[name]()
    return found


def read_file(name: str) -> Connections:
    """Read connections from a file that only its owner may read, or from standard input.

    :raises RefusedError: when others may read it, or it is no JSON object of objects.
    """
    if name == "-":
        text = sys.stdin.read()
    else:
        path = Path(name)
        if path.stat().st_mode & 0o077:
            message = f"{path} may be read by others. Make it yours alone (chmod 600), and change what it held."
            raise RefusedError(message)
        text = path.read_text(encoding="utf-8")
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(item, dict) for item in found.values()):
        message = f'{name}: expected JSON such as {{"graph_default": {{…}}}}; docs/connections.md shows each.'
        raise RefusedError(message)
    return found


def check(connections: Mapping[str, Mapping[str, Any]]) -> None:
    """Read each connection as the pipeline would.

    :raises RefusedError: naming the field that is missing or wrong.
    """
    if not connections:
        message = "There is no connection to store."
        raise RefusedError(message)
    for name, connection in connections.items():
        kind = connection.get("conn_type")
        if kind not in KINDS:
            message = f"{name}: conn_type is {kind!r}; expected one of {', '.join(KINDS)}."
            raise RefusedError(message)
        try:
            KINDS[kind](read_connection(name, {f"AIRFLOW_CONN_{name.upper()}": json.dumps(connection)}))
        except ConfigurationError as error:
            raise RefusedError(str(error)) from None


def store(name: str, connection: Mapping[str, Any], options: argparse.Namespace) -> str:
    """Put one connection; return what was stored, without a secret.

    :raises RefusedError: when it is too long, or SSM refuses it.
    """
    value, parameter = json.dumps(connection), f"{options.prefix.rstrip('/')}/{name}"
    if len(value.encode()) > MOST_BYTES:
        message = f"{parameter}: {len(value.encode())} bytes are more than a SecureString of the standard tier holds."
        raise RefusedError(message)
    try:
        answer = boto3.client("ssm", region_name=options.region or os.environ.get("AWS_REGION")).put_parameter(
            Name=parameter, Value=value, Type="SecureString", KeyId=options.key, Overwrite=True, Tier="Standard"
        )
    except ClientError as error:  # its message may repeat what was sent
        message = f"{parameter}: SSM answered {error.response['Error']['Code']}. Check the key, your rights and region."
        raise RefusedError(message) from None
    except BotoCoreError as error:
        message = f"{parameter}: SSM cannot be reached ({type(error).__name__}). Check AWS_REGION and AWS_PROFILE."
        raise RefusedError(message) from None
    return f"{parameter}: stored as version {answer['Version']}, encrypted with {options.key}"


def _ask_graph() -> dict[str, Any]:
    return {
        "conn_type": "entra_graph",
        "login": _line("Application (client) ID"),
        "password": _secret("Client secret (its value, not its id)"),
        "extra": {"tenant_id": _line("Directory (tenant) ID")},
    }


def _ask_aws() -> dict[str, Any]:
    extra = {"region_name": _line("Region of the lake")}
    if role := _line("Role to assume (empty: the machine's own role)"):
        extra["role_arn"] = role
    return {"conn_type": "aws", "extra": extra}


def _ask_smtp() -> dict[str, Any]:
    return {
        "conn_type": "smtp",
        "host": _line("Mail server"),
        "port": int(_line("Port (587 for STARTTLS)") or 587),
        "login": _line("User"),
        "password": _secret("Password"),
        "extra": {"from_email": _line("Sender's address"), "disable_ssl": True},
    }


def _line(question: str) -> str:
    print(f"  {question}: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


def _secret(question: str) -> str:
    return getpass.getpass(f"  {question}: ").strip()


def _check_smtp(connection: Any) -> None:  # noqa: ANN401 - a Connection
    if not connection.host or not (connection.extra.get("from_email") or connection.login):
        message = f"Connection {connection.conn_id!r}: host and extra.from_email are needed. See docs/connections.md."
        raise ConfigurationError(message)


QUESTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "graph_default": _ask_graph,
    "aws_default": _ask_aws,
    "smtp_default": _ask_smtp,
}
KINDS: dict[str, Callable[[Any], Any]] = {
    "entra_graph": GraphConnection.from_connection,
    "aws": Aws.from_connection,
    "smtp": _check_smtp,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--key", required=True, help="KMS key: an alias, or the output KeyArn of lake.yaml")
    parser.add_argument("--region", help="AWS region; without it, that of the AWS command line")
    parser.add_argument("--prefix", default=PREFIX, help="ConnectionsPrefix of lake.yaml (default: %(default)s)")
    parser.add_argument("--only", nargs="+", choices=list(QUESTIONS), metavar="CONNECTION", help="only these")
    parser.add_argument("--file", help="read JSON from this file, or from standard input (-), instead of asking")
    return parser


if __name__ == "__main__":
    sys.exit(main())
