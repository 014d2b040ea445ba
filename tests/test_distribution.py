"""Two workers share the tests by places: what a place shares is made once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

import distribution

TEST = """
import os, pathlib

def test_{name}():
    with pathlib.Path("{place}").open("a") as file:
        print(os.environ["PYTEST_XDIST_WORKER"], file=file)
"""


@pytest.mark.slow
def test_a_place_has_one_worker(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Files keep together, and so does the folder of the web UI; both workers have something to do."""
    plugins = request.config.pluginmanager.get_plugins()
    assert any(getattr(plugin, "pytest_xdist_make_scheduler", None) is distribution.pytest_xdist_make_scheduler
               for plugin in plugins), "tests/conftest.py does not use it"  # fmt: skip
    places = {
        "tests/web/test_a.py": "web",
        "tests/web/test_b.py": "web",
        "tests/test_c.py": "c",
        "tests/test_d.py": "d",
    }
    for path, place in places.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(TEST.format(name=number, place=place) for number in range(6)))
    (tmp_path / "pytest.ini").touch()
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--no-loadscope-reorder", "-p", "distribution", "tests"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    env["PYTHONPATH"] = str(Path(__file__).parent)
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert "24 passed" in done.stdout, done.stdout + done.stderr
    workers = defaultdict(set)
    for place in set(places.values()):
        workers[place] |= set((tmp_path / place).read_text().split())
    assert {len(found) for found in workers.values()} == {1}, workers
    assert len(set.union(*workers.values())) == 2, workers
