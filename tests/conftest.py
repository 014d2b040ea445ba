"""A simulated cloud, and a lake in it: every test that touches the outside talks to these servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from distribution import pytest_xdist_make_scheduler  # noqa: F401 - pytest finds the hook here
from entra_lake.lake import Lake
from entra_lake.settings import INCLUDE_VARIABLE
from sandbox.serve import Sandbox
from simulation import NOW, make_lake

#: What takes longest, first: two workers then end at about the same time. By the beginning of the path below tests/.
LONGEST = ("local", "web", "airflow", "faults", "test_story", "test_sql_cases", "test_healing", "test_columns", "infra",
           "test_erasure", "test_doc", "test_partitions", "compose")  # fmt: skip


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest first."""
    places = {item: item.path.relative_to(Path(__file__).parent).as_posix() for item in items}
    items.sort(key=lambda item: next((n for n, start in enumerate(LONGEST) if places[item].startswith(start)), 99))


@pytest.fixture(autouse=True)
def _shipped_settings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the repository's own include/, whatever Airflow's tests have set for theirs."""
    if "airflow" not in request.path.parts:
        monkeypatch.delenv(INCLUDE_VARIABLE, raising=False)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Sandbox]:
    """Start a tenant and cloud on the morning of 2026-11-23; its clock stands until somebody waits."""
    with Sandbox(tmp_path / "cloud", seed=7, now=NOW, frozen=True, sign_ins_per_day=300, throttled=False) as running:
        yield running


@pytest.fixture
def lake(cloud: Sandbox, tmp_path: Path) -> Lake:
    """Open a lake for the tenant, not yet prepared."""
    return make_lake(cloud)
