"""Each defect with which other collectors lose records does harm when it is put into ours; without it there is none.

So the story would tell if one of them crept in. `defects.py` holds both.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from catalogue import DEFECTS
from defects import PUT_IN, Ground, Harm, tell

from sandbox.serve import Sandbox
from simulation import NOW

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Start a small tenant once."""
    folder = tmp_path_factory.mktemp("tenant")
    options = {"now": NOW, "frozen": True, "sign_ins_per_day": 90, "with_aws": False, "throttled": False}
    with Sandbox(folder, seed=7, **options) as running:
        yield running


@pytest.fixture(name="ground")
def clear_ground(tenant: Sandbox, tmp_path: Path) -> Ground:
    """Give the tenant as it was at first, and an empty lake."""
    tenant.tenant.reset()
    tenant.clock.set(NOW)
    return Ground(tenant, tmp_path)


def test_without_a_defect_there_is_no_harm(ground: Ground) -> None:
    """With every trap in the day nothing is lost, doubled, written again, hasty or stuck."""
    assert tell(ground) == Harm()


@pytest.mark.defect(
    "D1", "D2", "D3", "D4", "D5", "D5b", "D6", "D7", "D8", "D9", "D10", "D11", "D12", "D13", "D14", "D15", "D16"
)
@pytest.mark.parametrize("name", PUT_IN)
def test_a_defect_does_harm(ground: Ground, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The story shows the defect: by what it loses, or by the harm that it does instead."""
    defect = PUT_IN[name]
    defect.change(monkeypatch)
    harm = tell(ground)
    assert defect.shows in harm.kinds(), DEFECTS[name].name
    assert harm.lost >= defect.loses


def test_every_defect_can_be_put_in() -> None:
    """The catalogue's defects are all here."""
    assert list(PUT_IN) == list(DEFECTS)
