"""Image and Compose file keep their rules. `check`, beside this file, tries the real thing on an engine."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml

from entra_lake import __version__

REPOSITORY = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
#: They run once and end: neither health nor restarts mean anything to them.
ONE_SHOTS = {"secrets", "set-up"}
LASTING = sorted(set(SERVICES) - ONE_SHOTS)
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()


def stages() -> dict[str, str]:
    """Return the Dockerfile's stages by name."""
    parts = re.split(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, flags=re.MULTILINE)
    return {parts[number + 1]: parts[number + 2] for number in range(1, len(parts), 3)}


def default_of(text: object) -> str:
    """Return a value of the Compose file as it is when no variable is set."""
    return re.sub(r"\$\{\w+(?::-([^}]*))?\}", lambda found: found[1] or "", str(text))


def strings(node: Any) -> list[str]:
    """Return every string in a tree of YAML."""
    if isinstance(node, dict):
        return [text for item in node.items() for text in strings(item)]
    if isinstance(node, list | tuple):
        return [text for item in node for text in strings(item)]
    return [str(node)]


# The image.


def test_hadolint_finds_nothing() -> None:
    """The linter for Dockerfiles, really run, has nothing to say, and would have."""
    hadolint = str(Path(sys.executable).with_name("hadolint"))
    done = subprocess.run(
        [hadolint, "Dockerfile"], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "")
    bad = subprocess.run(
        [hadolint, "-"], input="FROM debian\nRUN cd /tmp\n", capture_output=True, text=True, check=False
    )
    assert "DL3006" in bad.stdout


def test_the_images_of_the_dockerfile_are_pinned() -> None:
    """Every base has an exact tag; the one of production is the Airflow of the lock."""
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    airflow = re.search(r"^apache-airflow==(\S+)", (REPOSITORY / "requirements.lock").read_text(), re.MULTILINE)
    assert airflow
    assert bases == ["python:3.11-slim-bookworm", f"apache/airflow:{airflow[1]}-python3.11"]
    assert list(stages())[-1] == "production", "a plain `docker build` must give production"


@pytest.mark.parametrize("stage", ["production", "sandbox"])
def test_dependencies_have_hashes(stage: str) -> None:
    """Each image installs from one lock, with hashes, and builds nothing: it holds no compiler."""
    text = stages()[stage]
    installs = re.findall(r"(?:pip install|pip sync)(?:.*\\\n)*.*", text)
    assert len(installs) == 1
    assert "--require-hashes" in installs[0]
    assert "--no-build" in installs[0] or "--only-binary :all:" in installs[0]
    assert not re.findall(r"apt-get|apk |gcc|build-essential", text)


def test_production_holds_nothing_of_the_sandbox() -> None:
    """Production copies code, settings and its own lock; no sandbox, no tests, nothing from another stage."""
    copied = [shlex.split(line)[1:-1] for line in re.findall(r"^COPY .*$", stages()["production"], re.MULTILINE)]
    names = {word for words in copied for word in words if not word.startswith("--")}
    assert names == {"requirements.lock", "plugins", "include", "dags", "container", "LICENSE"}
    assert "COPY --from" not in DOCKERFILE


def imported(folders: list[str]) -> set[str]:
    """Return the distributions whose modules the Python files of these folders import."""
    names: set[str] = set()
    for path in (path for folder in folders for path in (REPOSITORY / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            names |= {module.split(".")[0] for module in modules if path.parts[-2] != "local"}
    distributions = packages_distributions()
    return {
        re.sub(r"[._]+", "-", distributions[name][0]).lower()
        for name in names - set(sys.stdlib_module_names)
        if name in distributions
    }


@pytest.mark.parametrize(
    ("folders", "lock"),
    [(["sandbox"], "requirements-sandbox.lock"), (["plugins", "dags", "container"], "requirements.lock")],
)
def test_an_image_has_what_its_code_imports(folders: list[str], lock: str) -> None:
    """Every distribution that an image's code imports is in the lock that the image installs."""
    locked = set(re.findall(r"^([\w.-]+)==", (REPOSITORY / lock).read_text(), re.MULTILINE))
    found = imported(folders)
    assert {"boto3", "pyarrow"} <= found
    assert {name for name in found if not name.startswith(("apache-airflow", "mypy-boto3"))} <= locked


@pytest.mark.parametrize("stage", ["production", "sandbox"])
def test_an_image_does_not_run_as_root(stage: str) -> None:
    """The last USER of each stage is not root; each has a health check and labels with the version."""
    text = stages()[stage]
    assert re.findall(r"^USER (\S+)$", text, re.MULTILINE)[-1] == "50000:0"
    assert re.findall(r"^HEALTHCHECK ", text, re.MULTILINE)
    assert f'org.opencontainers.image.version="{__version__}"' in text


def test_only_what_is_copied_reaches_the_builder() -> None:
    """`.dockerignore` begins with everything, and lets in exactly what a COPY names."""
    lines = [line for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    allowed = {line[1:].rstrip("/") for line in lines if line.startswith("!")}
    copied = {word.split("/")[0] for line in re.findall(r"^COPY (.*)$", DOCKERFILE, re.MULTILINE) for word in
              shlex.split(line)[:-1] if not word.startswith("--")}  # fmt: skip
    assert lines[0] == "*"
    assert allowed == copied
    assert any(fnmatch("sandbox/.env", line) for line in lines)


# The Compose file.


def test_compose_accepts_the_file() -> None:
    """It parses; where Docker Compose is installed, by Compose itself."""
    assert COMPOSE["name"] == "entra-lake"
    docker = shutil.which("docker")
    if docker and not subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        done = subprocess.run(
            [docker, "compose", "--profile", "*", "config", "--quiet"],
            cwd=REPOSITORY, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", LASTING)
def test_a_service_is_watched_and_bounded(name: str) -> None:
    """Every lasting service has a health check, comes back by itself, and has a limit of memory and of logs."""
    service = SERVICES[name]
    check = service["healthcheck"]
    assert check["test"][0] == "CMD"
    assert check["start_period"]
    assert service["restart"] == "unless-stopped"
    assert re.fullmatch(r"\d+[mg]", default_of(service["mem_limit"]))
    assert service["logging"]["options"]["max-size"]


@pytest.mark.parametrize("name", sorted(ONE_SHOTS))
def test_what_runs_once_is_waited_for(name: str) -> None:
    """A service that runs once has a limit, does not start again, and somebody waits for its success."""
    assert SERVICES[name]["restart"] == "no"
    assert SERVICES[name]["mem_limit"]
    conditions = [service.get("depends_on", {}).get(name, {}).get("condition") for service in SERVICES.values()]
    assert "service_completed_successfully" in conditions


@pytest.mark.parametrize("name", SERVICES)
def test_dependencies_can_be_met(name: str) -> None:
    """Who waits for health waits for a service with a health check; a service of a profile is not required."""
    for other, facts in SERVICES[name].get("depends_on", {}).items():
        service = SERVICES[other]
        if facts["condition"] == "service_healthy":
            assert service["healthcheck"].get("test"), other
        else:
            assert other in ONE_SHOTS
        if service.get("profiles") != SERVICES[name].get("profiles") and service.get("profiles"):
            assert facts["required"] is False, f"{name} could not start without the profile of {other}"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_locked_in(name: str) -> None:
    """No service writes to its own image, gains privileges, or has more capabilities than it gave up root with."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert set(service.get("cap_add", [])) <= {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}
    assert not service.get("cap_add") or name == "postgres"
    assert not {"privileged", "pid", "ipc", "devices"} & set(service)
    assert not [text for text in strings(service.get("volumes", [])) if "docker.sock" in text]


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_this_machines_only(name: str) -> None:
    """Every published port is bound to 127.0.0.1."""
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", default_of(port)), port


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_pinned(name: str) -> None:
    """Every image has a tag with a number, and what is built carries this version."""
    service = SERVICES[name]
    tag = service["image"].rpartition(":")[2]
    assert re.match(r"\d", tag)
    if "build" in service:
        assert tag == __version__
        assert service["build"]["target"] in stages()


def test_volumes_are_named() -> None:
    """Every volume is declared, and the only file of this folder in a container is lakes.yaml, read-only."""
    mounts = [volume for service in SERVICES.values() for volume in service.get("volumes", [])]
    assert {mount for mount in mounts if mount.startswith(".")} == {
        "./include/lakes.yaml:/opt/entra-lake/include/lakes.yaml:ro"
    }
    assert {mount.split(":")[0] for mount in mounts if not mount.startswith(".")} == set(COMPOSE["volumes"])


def test_no_secret_is_in_a_file_of_the_repository() -> None:
    """Passwords and keys come from files that are made at the first start; neither Compose file nor .env has one."""
    for text in strings(COMPOSE):
        assert not re.search(r"://\w+:[^@$]+@", text), text
    settings = {key: value for service in SERVICES.values() for key, value in service.get("environment", {}).items()}
    for key, value in settings.items():
        if re.search(r"PASSWORD|SECRET|FERNET|SQL_ALCHEMY|BROKER|RESULT", key) and not key.endswith("_FILE"):
            assert str(value).startswith("cat /run/entra-lake/"), key
    for line in (REPOSITORY / ".env").read_text().splitlines():
        assert not re.match(r"^[^#]*(PASSWORD|SECRET|KEY|TOKEN)", line), line


def test_secrets_stay_apart() -> None:
    """Only Airflow sees Airflow's keys, only Postgres its password's volume; the sandbox sees none of them."""
    seen = {
        volume: {name for name, service in SERVICES.items() if any(m.startswith(f"{volume}:") for m in
                 service.get("volumes", []))}
        for volume in COMPOSE["volumes"] if volume.endswith("-secrets")
    }  # fmt: skip
    assert seen["database-secrets"] == {"secrets", "postgres"}
    assert not {"sandbox", "postgres", "redis"} & seen["airflow-secrets"]
    assert seen["broker-secrets"] <= {"secrets", "redis"}


def test_the_shipped_settings_are_the_example() -> None:
    """`.env` is shipped as the example, with the simulated cloud on: a clean clone starts without a manual step."""
    shipped = (REPOSITORY / ".env").read_text()
    assert shipped == (REPOSITORY / ".env.example").read_text()
    assert re.findall(r"^(\w+=.*)$", shipped, re.MULTILINE) == ["COMPOSE_PROFILES=sandbox"]


def test_every_setting_of_the_compose_file_is_in_the_example() -> None:
    """Each variable stands in the example with the default that the Compose file has, and no other does."""
    used = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", (REPOSITORY / "docker-compose.yaml").read_text()))
    shown = dict(re.findall(r"^#?(\w+)=(.*)$", (REPOSITORY / ".env.example").read_text(), re.MULTILINE))
    assert used | {"COMPOSE_PROFILES": "sandbox"} == shown


def test_without_its_profile_the_sandbox_is_off() -> None:
    """The sandbox and what belongs to it run only while the profile is on; nothing else has its ports."""
    assert SERVICES["sandbox"]["profiles"] == ["sandbox"]
    always = [service for service in SERVICES.values() if not service.get("profiles")]
    assert not [text for service in always for text in strings(service.get("environment", {})) if "sandbox" in text]
