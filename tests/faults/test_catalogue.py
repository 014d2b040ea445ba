"""Every fault and every known defect has its tests, or a reason."""

from __future__ import annotations

from catalogue import DEFECTS, FAULTS, marked_tests


def test_every_fault_is_listed() -> None:
    """The catalogue has all 62 faults and all 17 defects, in their order."""
    assert list(FAULTS) == list(range(1, 63))
    assert list(DEFECTS) == ["D1", "D2", "D3", "D4", "D5", "D5b", *(f"D{number}" for number in range(6, 17))]


def test_every_fault_has_a_test_or_a_reason() -> None:
    """A fault without a test says why; a test names only what the catalogue knows."""
    tests = marked_tests("fault")
    assert {number for number, fault in FAULTS.items() if not fault.left_out and number not in tests} == set()
    assert set(tests) <= set(FAULTS)


def test_every_defect_has_a_test() -> None:
    """A defect without a test would come back unseen."""
    tests = marked_tests("defect")
    assert {name for name, defect in DEFECTS.items() if not defect.left_out and name not in tests} == set()
    assert set(tests) <= set(DEFECTS)
