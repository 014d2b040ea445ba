"""The sandbox's image holds what its lock file names, and nothing else: that must be enough."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
#: Works as in the image: what only other groups hold cannot be imported.
CODE = """
import re, sys
from importlib.metadata import packages_distributions
from pathlib import Path

locked = {name.lower() for name in re.findall(r"^([A-Za-z0-9._-]+)==", Path(sys.argv[1]).read_text(), re.MULTILINE)}
foreign = {top for top, owners in packages_distributions().items()
           if not any(re.sub("[-_.]+", "-", owner).lower() in locked for owner in owners)}
foreign -= {"pip", "setuptools", "pkg_resources", "_distutils_hack"}

class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in foreign:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refusal())
assert "pandas" in foreign and "duckdb" not in foreign
from aws_cloud import Cloud

cloud = Cloud(Path(sys.argv[2]))
cloud.rows("CREATE DATABASE db")
cloud.rows("CREATE OR REPLACE VIEW db.texts AS SELECT CAST(DOUBLE '1E20' AS varchar) AS text")
print(cloud.rows("SELECT text FROM db.texts"))
cloud.aws.stop()
import sandbox.__main__
"""


@pytest.mark.slow
def test_the_lock_is_enough(tmp_path: Path) -> None:
    """With the packages of the lock alone the sandbox loads, and its Athena runs a query with functions in Python."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(REPOSITORY / "requirements-sandbox.lock"), str(tmp_path)],
        env={"PYTHONPATH": f"{REPOSITORY}/tests/sandbox:{REPOSITORY}/plugins:{REPOSITORY}", "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.stdout.strip() == "[['1.0E20']]", done.stderr[-2000:]
