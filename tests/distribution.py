"""Which worker runs which tests: a file's all on one, and those of the web UI too, for one Airflow serves them all.

xdist's own `loadgroup` writes the group's name into the ids of tests. pytest 9.2 no longer lets it, and says nothing:
every test went to whoever was free, and what a file shares was made by both workers.
"""

from __future__ import annotations

from typing import Any

import pytest


def place_of(nodeid: str) -> str:
    """Return what a test shares its worker with."""
    path = nodeid.partition("::")[0]
    return "web" if path.startswith("tests/web/") else path


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each worker one place after the other, in the order of collection."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - there is none without xdist

    class ByPlace(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return place_of(nodeid)

    return ByPlace(config, log)
