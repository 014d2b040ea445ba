"""Each defect with which other collectors lose records does harm when it is put into ours; without it there is none.

So the story would tell if one of them crept in. `defects.py` holds both.
"""

from __future__ import annotations

import pytest
from catalogue import DEFECTS
from defects import PUT_IN, Harm, tell
from plain_ground import PlainGround

pytestmark = pytest.mark.slow


def test_without_a_defect_there_is_no_harm(plain: PlainGround) -> None:
    """With every trap in the day nothing is lost, doubled, written again, hasty or stuck."""
    assert tell(plain) == Harm()


@pytest.mark.defect(
    "D1", "D2", "D3", "D4", "D5", "D5b", "D6", "D7", "D8", "D9", "D10", "D11", "D12", "D13", "D14", "D15", "D16"
)
@pytest.mark.parametrize("name", PUT_IN)
def test_a_defect_does_harm(plain: PlainGround, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The story shows the defect: by what it loses, or by the harm that it does instead."""
    defect = PUT_IN[name]
    defect.change(monkeypatch)
    harm = tell(plain)
    assert defect.shows in harm.kinds(), DEFECTS[name].name
    assert harm.lost >= defect.loses


def test_every_defect_can_be_put_in() -> None:
    """The catalogue's defects are all here."""
    assert list(PUT_IN) == list(DEFECTS)
