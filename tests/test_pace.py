"""The pace of requests: what refusals teach, and for how long."""

from __future__ import annotations

from entra_lake.pace import MEMORY, QUIET, Pace

LIMIT = 5


def test_without_refusals_the_documented_limit_holds() -> None:
    """Nothing is lowered, and quiet minutes never raise the pace above what is documented."""
    pace = Pace().after_quiet(LIMIT, 1e9)
    assert pace == Pace()
    assert pace.allowed(LIMIT) == LIMIT


def test_a_burst_of_refusals_is_one_step() -> None:
    """Of requests that left together, the first 429 lowers the pace and the others do not."""
    pace = Pace().refused(LIMIT, sent_at=100.0, now=101.0)
    for late in (101.5, 109.0, 140.0):
        pace = pace.refused(LIMIT, sent_at=100.0, now=late)
    assert pace.allowed(LIMIT) == 4
    assert pace.refused_at == 140.0


def test_each_burst_is_another_step_down_to_one() -> None:
    """A request that left behind the last step and is refused all the same takes the pace further down, never to 0."""
    pace, levels = Pace(), []
    for number in range(1, 7):
        pace = pace.refused(LIMIT, sent_at=100.0 * number, now=100.0 * number + 1)
        levels.append(pace.allowed(LIMIT))
    assert levels == [4, 3, 2, 1, 1, 1]


def test_a_quiet_minute_is_one_step_up() -> None:
    """The pace rises a minute behind the last refusal, one step a minute, below what has failed."""
    pace = Pace().refused(LIMIT, 100.0, 100.0).refused(LIMIT, 101.0, 101.0).refused(LIMIT, 102.0, 102.0)
    pace = Pace(level=1, refused_at=pace.refused_at, failed=5, failed_at=pace.failed_at, failures=2)
    assert pace.after_quiet(LIMIT, 102.0 + QUIET - 1).allowed(LIMIT) == 1
    pace = pace.after_quiet(LIMIT, 102.0 + QUIET)
    assert pace.allowed(LIMIT) == 2
    assert pace.after_quiet(LIMIT, 102.0 + QUIET + 59).allowed(LIMIT) == 2
    assert pace.after_quiet(LIMIT, 102.0 + 2 * QUIET).allowed(LIMIT) == 3


def test_what_failed_once_is_tried_again() -> None:
    """One refusal may be the network's: it costs a quiet minute, not an hour at four fifths of the limit."""
    pace = Pace().refused(LIMIT, 100.0, 100.0)
    assert pace.after_quiet(LIMIT, 100.0 + QUIET - 1).allowed(LIMIT) == 4
    assert pace.after_quiet(LIMIT, 100.0 + QUIET).allowed(LIMIT) == LIMIT


def test_what_failed_twice_is_not_tried_again_for_an_hour() -> None:
    """A level that was refused twice stays out of bounds for an hour; then it is tried, up to the documented limit."""
    pace = Pace().refused(LIMIT, 100.0, 100.0).after_quiet(LIMIT, 100.0 + QUIET).refused(LIMIT, 200.0, 200.0)
    assert pace.after_quiet(LIMIT, 200.0 + MEMORY - 1).allowed(LIMIT) == 4
    raised = pace.after_quiet(LIMIT, 200.0 + MEMORY)
    assert raised.allowed(LIMIT) == LIMIT
    assert raised.level == 0


def test_refusals_far_apart_prove_nothing() -> None:
    """A level is proved too high by two refusals within an hour; another level's refusal begins a count of its own."""
    pace = Pace().refused(LIMIT, 100.0, 100.0).after_quiet(LIMIT, 100.0 + QUIET)
    later = 100.0 + MEMORY
    assert pace.refused(LIMIT, later, later).after_quiet(LIMIT, later + QUIET).allowed(LIMIT) == LIMIT
    lower = Pace().refused(LIMIT, 100.0, 100.0).refused(LIMIT, 101.0, 101.0)
    assert lower.failures == 1
    assert lower.after_quiet(LIMIT, 101.0 + QUIET).allowed(LIMIT) == 4


def test_a_pace_outlives_its_process() -> None:
    """What was learned is read back from the budget's document as it was."""
    pace = Pace().refused(LIMIT, 100.0, 100.0).after_quiet(LIMIT, 100.0 + QUIET).refused(LIMIT, 200.0, 200.0)
    assert Pace.from_dict(pace.to_dict()) == pace


def test_large_limits_take_large_steps() -> None:
    """Who was allowed a hundred requests does not creep down one by one."""
    assert Pace().refused(100, 1.0, 1.0).allowed(100) == 80


def test_the_smaller_of_two_settings_holds() -> None:
    """What one lake has learned at its own limit never lets another one exceed its own."""
    assert Pace(level=8).allowed(LIMIT) == LIMIT
