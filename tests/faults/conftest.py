"""One simulated cloud for all fault tests; each has a day of its own in it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from ground import Ground, Grounds
from plain_ground import PlainGround
from proxy import Proxy

from sandbox.serve import Sandbox
from simulation import NOW
from soak.world import hurried

_NUMBERS = count()


@pytest.fixture(scope="session", name="grounds")
def start_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    """Start a small tenant and its cloud once."""
    folder = tmp_path_factory.mktemp("faulty-cloud")
    with Sandbox(folder, seed=7, now=NOW, frozen=True, sign_ins_per_day=120, throttled=False) as running:
        yield Grounds(running)


@pytest.fixture
def ground(grounds: Grounds) -> Iterator[Ground]:
    """Give a day, with tenant and clock as they were at first; boto3 repeats requests without real pauses."""
    with hurried():
        found = grounds.next()
        _set_back(found)
        yield found
        _set_back(found)


@pytest.fixture
def fresh(grounds: Grounds) -> Iterator[Ground]:
    """Give a lake of one's own, not yet prepared."""
    with hurried():
        found = grounds.fresh(f"fresh-{next(_NUMBERS)}".replace("-", "_"))
        _set_back(found)
        yield found
        _set_back(found)


@pytest.fixture(scope="session", name="tenant")
def start_tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Start a small tenant without a cloud once."""
    folder = tmp_path_factory.mktemp("faulty-tenant")
    with Sandbox(folder, seed=7, now=NOW, frozen=True, sign_ins_per_day=90, with_aws=False, throttled=False) as running:
        yield running


@pytest.fixture
def plain(tenant: Sandbox, tmp_path: Path) -> PlainGround:
    """Give the tenant as it was at first, and an empty lake in a folder."""
    tenant.tenant.reset()
    tenant.clock.set(NOW)
    return PlainGround(tenant, tmp_path)


@pytest.fixture
def proxy(grounds: Grounds, ground: Ground) -> Iterator[Proxy]:
    """Start a proxy in front of AWS; nothing goes wrong yet."""
    with Proxy(ground.cloud.settings["aws_endpoint_url"]) as running:
        yield running


def _set_back(ground: Ground) -> None:
    ground.calm()
    ground.cloud.tenant.reset()
    ground.cloud.clock.set(NOW)
