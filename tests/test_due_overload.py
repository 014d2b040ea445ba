"""Which debts are alarming, and which are paid when the requests do not suffice for all."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from due_world import (
    DAY,
    HOUR,
    LAKE,
    ONE_DAY,
    TICK,
    TWO_STREAMS,
    World,
    manifest_of,
    noon,
    one_pass,
    read_at,
)
from entra_lake.day_state import MOST_REPEATS, State, state
from entra_lake.due import (
    FIRST_OVERDUE_AFTER,
    OVERDUE_AFTER,
    UNKNOWN_REQUESTS,
    Reason,
    affordable,
    due,
    endangered,
    estimate_requests,
    is_safe,
    owed,
)
from entra_lake.lake_facts import expires_at, first_due_at, start_of_age

# --- Safety and alarms -----------------------------------------------------------------------------------------------


def test_overdue_is_not_safe() -> None:
    """A re-reading may wait a day, a first reading six hours; then somebody must hear of it."""
    start = start_of_age(DAY, 2)
    assert is_safe(read_at(1), start + OVERDUE_AFTER, LAKE, DAY)
    assert not is_safe(read_at(1), start + OVERDUE_AFTER + TICK, LAKE, DAY)
    assert not is_safe(read_at(1), noon(8), LAKE, DAY), "what was owed before the newest age counts"
    lake = replace(LAKE, collect_from=DAY)
    late = first_due_at(DAY) + FIRST_OVERDUE_AFTER
    assert [item.is_overdue(late) for item in due(late, {}, lake)] == [False]
    assert [item.is_overdue(late + TICK) for item in due(late + TICK, {}, lake)] == [True]


def test_short_reading_stays_owed_behind_the_next_age() -> None:
    """A repetition that nobody made is not forgotten when the next age comes: since when it is owed stays."""
    manifest = read_at(1, 2, missing=1)
    for age in (3, 4, 5):
        debt = owed(manifest, noon(age), LAKE, DAY)
        assert debt is not None
        assert debt.since == noon(2) + HOUR


def test_aged_out_debt_is_never_safe() -> None:
    """A day that aged out while it owed its last reading is not lost, and not safe; one that owed nothing is."""
    assert state(read_at(1, 16), noon(50), LAKE, DAY) is State.SETTLED
    assert not is_safe(read_at(1, 16), noon(50), LAKE, DAY)
    assert is_safe(read_at(1, 27), noon(50), LAKE, DAY)


def test_the_last_moment_decides_what_aged_out() -> None:
    """What a day owed when it aged out counts at once and for ever; what would come due later never does."""
    tries = [start_of_age(DAY, 29) + HOUR * number for number in range(1 + MOST_REPEATS)]
    short = manifest_of(DAY, *[one_pass(DAY, at, missing=1) for at in tries])
    assert is_safe(short, start_of_age(DAY, 30) + OVERDUE_AFTER - TICK, LAKE, DAY)
    assert not is_safe(short, expires_at(DAY, LAKE), LAKE, DAY)
    tried_to_the_end = manifest_of(DAY, one_pass(DAY, start_of_age(DAY, 30), missing=1), known=short)
    assert is_safe(tried_to_the_end, noon(40), LAKE, DAY)
    assert state(tried_to_the_end, noon(40), LAKE, DAY) is State.OPEN


def test_endangered_days_are_named_before_they_expire() -> None:
    """Two days before it ages out, a day that is missing or partial is named; one that was read is not."""
    lake = replace(TWO_STREAMS, collect_from=DAY)
    held = {("sign_ins", DAY): read_at(1), ("directory_audits", DAY): read_at(1, failed="invalid JSON")}
    day = DAY + ONE_DAY
    assert endangered(noon(28), held, lake, timedelta(days=2)) == []
    assert endangered(noon(29), held, lake, timedelta(days=2)) == [("directory_audits", DAY, State.PARTIAL)]
    assert endangered(noon(30), held, lake, timedelta(days=2)) == [
        ("directory_audits", DAY, State.PARTIAL),
        ("sign_ins", day, State.MISSING),
        ("directory_audits", day, State.MISSING),
    ]


# --- Overload --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def overloaded() -> tuple[World, datetime]:
    """Return a world that was away for nine days, so that first, middle and last readings are due."""
    world, now = World(replace(TWO_STREAMS, collect_from=DAY)), noon(29)
    world.run(noon(0), noon(20))
    return world, now


@given(
    budget=st.integers(0, 300),
    most=st.integers(0, 12),
    sizes=st.dictionaries(st.integers(0, 40), st.integers(1, 90)),
)
def test_what_is_affordable(overloaded: tuple[World, datetime], budget: int, most: int, sizes: dict[int, int]) -> None:
    """What is kept is the most urgent part, it fits the budget unless it is a single day, and nothing disappears."""
    world, now = overloaded
    dues = world.due(now)

    def estimate(stream: str, day: date) -> int:
        return sizes.get((day - DAY).days, 20)

    kept, dropped = affordable(dues, budget, estimate, most=most)
    assert kept == dues[: len(kept)]
    assert [(item.stream, item.day, item.age_owed) for item in dropped] == [
        (item.stream, item.day, item.age_owed) for item in dues[len(kept) :]
    ]
    assert len(kept) <= most
    assert kept or not most
    assert len(kept) <= 1 or sum(estimate(item.stream, item.day) for item in kept) <= budget
    for item, original in zip(dropped, dues[len(kept) :], strict=True):
        assert item.reason is (Reason.BUDGET if original.reason is Reason.MIDDLE else original.reason)


def test_budget_that_suffices_drops_nothing(overloaded: tuple[World, datetime]) -> None:
    """While the budget pays for all, to the last request, nothing is dropped."""
    world, now = overloaded
    dues = world.due(now)
    assert affordable(dues, 3 * len(dues), lambda *_: 3) == (dues, [])
    assert len(affordable(dues, 3 * len(dues) - 1, lambda *_: 3)[1]) == 1
    assert affordable([], 0, lambda *_: 3) == ([], [])


def test_estimate_is_the_last_pass() -> None:
    """A day costs the pages of its last pass; an unread day those of the stream's largest; unknown streams 100."""
    big = manifest_of(DAY, one_pass(DAY, noon(1), pages=70), one_pass(DAY, noon(2), pages=40))
    empty = read_at(1, day=DAY + ONE_DAY, pages=0)
    estimate = estimate_requests({("sign_ins", DAY): big, ("sign_ins", DAY + ONE_DAY): empty})
    assert estimate("sign_ins", DAY) == 40
    assert estimate("sign_ins", DAY + ONE_DAY) == 1
    assert estimate("sign_ins", DAY + 2 * ONE_DAY) == 40
    assert estimate("directory_audits", DAY) == UNKNOWN_REQUESTS


def test_dropped_readings_prevent_the_seal() -> None:
    """A day whose middle reading was dropped for the budget is never sealed, only settled; the day stays safe."""
    manifest = read_at(1, 2, 16, 27)
    assert state(manifest, noon(40), LAKE, DAY) is State.SEALED
    assert state(manifest, noon(40), LAKE, DAY, dropped={4}) is State.SETTLED
    assert is_safe(manifest, noon(40), LAKE, DAY, dropped={4})
    named = manifest_of(DAY, known=manifest, dropped=[4, 8])
    assert state(named, noon(40), LAKE, DAY) is State.SETTLED
    assert state(named, noon(40), LAKE, DAY, dropped=()) is State.SEALED


def test_dropped_readings_heal_until_the_next_age() -> None:
    """A reading that was dropped in one run and made in a later one, before the next age, was not dropped."""
    made_later = read_at(1, 2, 7, 27)
    assert state(made_later, noon(40), LAKE, DAY, dropped={4}) is State.SEALED
    assert state(made_later, noon(40), LAKE, DAY, dropped={4, 8}) is State.SETTLED
