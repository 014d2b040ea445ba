"""What `make lint` and `make sbom` find: weak spots, secrets in files, and what is shipped."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from importlib.metadata import distributions
from pathlib import Path

import pytest
import yaml

from secrets_scan import KNOWN, REPOSITORY, complaints, scan

LINT = Path(sys.prefix) / "lint" / "bin"


def test_a_secret_in_a_file_is_found(tmp_path: Path) -> None:
    """A key that somebody left in a file is found; one that is known is not told again, and one without reason is."""
    made_up = "AKIA" + "Z7JQ3V5XN2KDLMPT"
    (tmp_path / "settings.py").write_text(f'aws_key = "{made_up}"\n')
    (tmp_path / "clean.py").write_text("print()\n")
    found = scan(tmp_path, ["settings.py", "clean.py"])
    assert list(found) == ["settings.py"]
    known = {"settings.py": {"why": "made up", "hashes": list(found["settings.py"])}}
    assert "looks like a secret" in complaints(found, {})[0]
    assert complaints(found, known) == []
    assert "does not say why" in complaints(found, {"settings.py": known["settings.py"] | {"why": ""}})[0]
    assert "not in it any more" in complaints({}, known)[0]


def test_every_known_secret_has_a_reason() -> None:
    """No entry is there without somebody having looked at it, and none is about a file that is gone."""
    known = yaml.safe_load(KNOWN.read_text())
    assert known
    assert [name for name, item in known.items() if not item["why"] or not (REPOSITORY / name).exists()] == []


@pytest.mark.parametrize("environment", [Path(sys.prefix), LINT.parent], ids=["lake", "lint"])
def test_no_two_packages_bring_the_same_file(environment: Path) -> None:
    """What runs is what is locked: of two packages with the same modules, that which was installed last would run."""
    folder = next(environment.glob("lib/python3*/site-packages"))
    owners: dict[str, set[str]] = defaultdict(set)
    for package in distributions(path=[str(folder)]):
        for file in package.files or ():
            owners[str(file)].add(package.metadata["Name"])
    assert len(owners) > 1000
    assert {file: names for file, names in owners.items() if len(names) > 1 and not file.endswith(".pyc")} == {}


@pytest.mark.slow
def test_bandit_is_content() -> None:
    """Nothing that is shipped has a weak spot that bandit knows, but for what is excepted beside it with a reason."""
    command = [
        LINT / "bandit",
        "-q",
        "-c",
        "pyproject.toml",
        "-f",
        "json",
        "-r",
        "plugins",
        "dags",
        "container",
        "infra",
    ]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    assert [f"{item['filename']}:{item['line_number']} {item['test_id']}" for item in report["results"]] == []
    assert report["errors"] == []
    assert report["metrics"]["_totals"]["loc"] > 5000


@pytest.mark.slow
def test_the_sbom_lists_what_is_locked(tmp_path: Path) -> None:
    """The bill of materials names each package of the image with its version and hashes, and nothing of the tests."""
    path = tmp_path / "sbom.json"
    command = ["make", "-s", "-o", ".venv/.ready", "-o", ".venv/lint/.ready", "sbom", f"OUT={path}"]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    bill = json.loads(path.read_text())
    locked = re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", (REPOSITORY / "requirements.lock").read_text(), re.MULTILINE)
    assert bill["bomFormat"] == "CycloneDX"
    assert {(item["name"], item["version"]) for item in bill["components"]} == set(locked)
    assert len(locked) > 100
    assert "pytest" not in dict(locked)
