"""What the tests of this folder share beside fixtures: settings and connections of the simulated cloud."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.environment import environment
from sandbox.serve import Sandbox

#: What a test has logged and printed.
LOGGED = pytest.StashKey[str]()

REPOSITORY = Path(__file__).parents[2]
#: The repository's settings, but for a pace that no test has to wait for.
LAKE = "bucket: {bucket}, requests_per_10_seconds: 1000, mail: {{to: [security@example.com]}}"


#: The shipped detections that run here: all of them take half a minute a day.
RULES = ("password_spray", "user_created")


def make_include(folder: Path, bucket: str = "entra-lake", own_rules: Path | None = None) -> Path:
    """Make an include/ folder with a lakes.yaml of its own.

    :param own_rules: a folder with rules of the operator's own.
    """
    known = [path.stem for path in (REPOSITORY / "include" / "sql" / "detections").glob("*.sql")]
    rules = {name: {"enabled": False} for name in known if name not in RULES}
    detections = json.dumps({"rules": rules, "folder": str(own_rules) if own_rules else None})
    folder.mkdir(exist_ok=True)
    for name in ("sql", "email"):
        (folder / name).symlink_to(REPOSITORY / "include" / name)
    (folder / "lakes.yaml").write_text(f"default: {{{LAKE.format(bucket=bucket)}, detections: {detections}}}")
    return folder


def change_connection(
    monkeypatch: pytest.MonkeyPatch, cloud: Sandbox, name: str = "GRAPH_DEFAULT", **fields: Any
) -> None:
    """Set fields of a connection; those of extra are given as `extra`."""
    variable = f"AIRFLOW_CONN_{name}"
    known = json.loads(environment(cloud.state.folder)[variable])
    extra = {**known["extra"], **fields.pop("extra", {})}
    monkeypatch.setenv(variable, json.dumps({**known, **fields, "extra": extra}))
