"""Every command that a document shows exists, with its options, in the program that it calls."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from documents import (
    REPOSITORY,
    dag_params,
    every_document,
    fences,
    make_targets,
    prose,
    read,
)
from entra_lake import __main__ as command_line


def commands(text: str) -> Iterator[list[str]]:
    """Return the commands of the document's shell blocks, and those written in a line of text."""
    blocks = fences(text, "bash") + fences(text, "console")
    lines = [line.removeprefix("$ ") for block in blocks for line in re.sub(r"\\\n\s*", "", block).splitlines()]
    lines += re.findall(rf"`({_TOOLS} [^`\n]+)`", prose(text))
    for line in lines:
        if re.match(rf"{_TOOLS} ", line):
            yield shlex.split(re.sub(r"\s*…", "", line), comments=True)


#: What a command begins with that is checked; others are those of a shell.
_TOOLS = r"(?:make|python -m|python|airflow|aws|docker compose)"


@every_document
def test_commands_exist(path: Path) -> None:
    """Every command shown is a target of the Makefile, a module or script of ours, or a known tool's."""
    for words in commands(path.read_text()):
        assert is_known(words), " ".join(words)


@pytest.mark.parametrize(
    "line",
    [
        "make nothing",
        "python -m entra_lake nothing",
        "python -m entra_lake collect --form 2026-11-20",
        "python -m entra_lake erase --dry-run",
        "python nothing.py",
        """airflow dags trigger entra_logs --conf '{"nothing": 1}'""",
        "docker compose nothing",
        "docker compose exec nothing sh",
        "docker compose exec scheduler airflow nothing",
        "aws sesv2 create-email-identity --nothing x",
        "aws sesv2 nothing",
        "aws cloudformation deploy --stack-name x --template-file infra/lake.yaml --parameter-overrides Nothing=1",
        "aws cloudformation deploy --stack-name x --template-file infra/alarms.yaml --parameter-overrides KeyArn=1",
    ],
)
def test_wrong_commands_are_noticed(line: str) -> None:
    """A command, option, service or parameter that does not exist is not taken for one that does."""
    assert not is_known(shlex.split(line))


def is_known(words: list[str]) -> bool:
    """Tell whether one of our own parsers, or a known tool's description, takes the command."""
    return any(check(words) for check in (is_make, is_module, is_script, is_airflow, is_aws, is_compose))


def is_make(words: list[str]) -> bool:
    """Tell whether the Makefile has the target and knows the variables."""
    known = set(re.findall(r"\$\((?:if \$\()?([A-Z]+)\)", read("Makefile"))) | {"PORT"}
    variables = {word.partition("=")[0] for word in words[1:] if "=" in word}
    return (
        words[0] == "make" and {word for word in words[1:] if "=" not in word} <= make_targets() and variables <= known
    )


def is_module(words: list[str]) -> bool:
    """Tell whether it is `python -m` of a module here; a call of `entra_lake` must be one that its parser takes."""
    if words[:2] != ["python", "-m"] or importlib.util.find_spec(words[2]) is None:
        return False
    if words[2] != "entra_lake" or not words[3:]:
        return True
    parser = command_line._parser()
    names = next(action for action in parser._actions if action.choices).choices
    if len(words) == 4:  # the command is only named
        return words[3] in names
    try:
        parser.parse_args(words[3:])
    except SystemExit:
        return False
    return True


def is_script(words: list[str]) -> bool:
    """Tell whether it is a Python file here."""
    return words[0] == "python" and words[1].endswith(".py") and (REPOSITORY / words[1]).exists()


def is_airflow(words: list[str]) -> bool:
    """Tell whether it is a command of Airflow's command line that was looked up, about a DAG of ours."""
    known = {("airflow", "dags", "trigger"), ("airflow", "backfill", "create"), ("airflow", "pools", "set")}
    known |= {("airflow", "rotate-fernet-key")}
    is_known = tuple(words[:3]) in known
    if "--conf" in words:
        is_known &= set(json.loads(words[words.index("--conf") + 1])) <= dag_params()
    return is_known


def is_aws(words: list[str]) -> bool:
    """Tell whether AWS's description of its services has the command and its options, or it was looked up."""
    if words[0] != "aws":
        return False
    if words[1:3] == ["cloudformation", "deploy"]:
        return len(words) == 3 or is_deploy(words)
    if words[1] == "s3":
        return words[2] in {"ls", "cp"}
    if words[1:3] == ["ssm", "start-session"]:  # a plugin's command, of the same name as the operation
        return {word for word in words if word.startswith("--")} <= {"--target", "--document-name", "--parameters"}
    model = botocore.session.get_session().get_service_model(words[1])
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    if words[2] not in operations:
        return False
    members = model.operation_model(operations[words[2]]).input_shape.members
    options = {f"--{xform_name(name, '-')}" for name in members} | {"--query", "--region", "--output"}
    return {word for word in words[3:] if word.startswith("--")} <= options


def is_deploy(words: list[str]) -> bool:
    """Tell whether a stack is made from a template of ours, with parameters that it has."""
    options = {"--stack-name", "--template-file", "--capabilities", "--parameter-overrides"}
    template = (REPOSITORY / words[words.index("--template-file") + 1]).read_text()
    parameters = set(re.findall(r"^  (\w+):$", section_of(template, "Parameters"), re.MULTILINE))
    needed = parameters - set(re.findall(r"^  (\w+):\n(?:    .*\n)*?    Default:", template, re.MULTILINE))
    given = {word.partition("=")[0] for word in words if re.match(r"[A-Z]\w*=", word)}
    return {word for word in words if word.startswith("--")} <= options and needed <= given <= parameters


def section_of(template: str, name: str) -> str:
    """Return a section of a template."""
    found = re.search(rf"^{name}:\n(.*?)(?=^\w|\Z)", template, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


#: Commands of Compose, and those of their options that take a value.
COMPOSE = {"up", "down", "stop", "restart", "build", "exec", "run", "logs", "ps", "config", "kill", "pull"}
VALUED = {"--scale", "--entrypoint", "--user", "-u", "--profile", "-f", "--env-file"}


def is_compose(words: list[str]) -> bool:
    """Tell whether Compose has the command and docker-compose.yaml the services; what they run is checked, too."""
    if words[:2] != ["docker", "compose"]:
        return False
    rest = [word for number, word in enumerate(words[2:]) if words[number + 1] not in VALUED]
    command, *named = [word for word in rest if not word.startswith("-")]
    services = set(re.findall(r"^  ([a-z-]+):", section_of(read("docker-compose.yaml"), "services"), re.MULTILINE))
    if command in {"exec", "run"}:
        inner = words[words.index(named[0]) + 1 :]
        return named[0] in services and (inner[:1] != ["airflow"] or is_airflow(inner))
    return command in COMPOSE and set(named) <= services
