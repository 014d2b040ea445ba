"""What is owed: decided by manifests, lake and clock alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from due_world import (
    DAY,
    DAY_START,
    HOUR,
    LAKE,
    ONE_DAY,
    TICK,
    TWO_STREAMS,
    WEEK,
    World,
    lakes,
    manifest_of,
    moments,
    noon,
    one_pass,
    outcomes,
    read_at,
)
from entra_lake.day_state import MOST_REPEATS, State, readings, state
from entra_lake.due import (
    PRIORITY,
    Reason,
    due,
    is_safe,
    lost_days,
    owed,
)
from entra_lake.errors import RetentionError
from entra_lake.lake_facts import LakeFacts, age_of, expires_at, first_due_at, start_of_age
from entra_lake.manifest import Manifest
from entra_lake.rereading import DEFAULT_AGES
from entra_lake.slices import check_day

# --- What is due -----------------------------------------------------------------------------------------------------


@pytest.mark.fault(55)
@given(moments, st.lists(st.tuples(st.integers(-40, 10), moments, outcomes), max_size=25), lakes)
def test_due_is_ordered_readable_and_unique(
    now: datetime, made: list[tuple[int, datetime, dict[str, Any]]], lake: LakeFacts
) -> None:
    """Nothing is due twice, nothing that Graph would refuse, and the most urgent comes first."""
    lake = replace(lake, streams=TWO_STREAMS.streams)
    held: dict[tuple[str, date], Manifest] = {}
    for number, (shift, at, counts) in enumerate(made):
        key = (lake.streams[number % 2], DAY + ONE_DAY * shift)
        held[key] = manifest_of(key[1], one_pass(key[1], at, **counts), known=held.get(key))
    dues = due(now, held, lake)
    assert len({(item.stream, item.day) for item in dues}) == len(dues)
    assert [(PRIORITY[item.reason], item.day) for item in dues] == sorted(
        (PRIORITY[item.reason], item.day) for item in dues
    )
    for item in dues:
        check_day(item.day, now, lake.retention_days)
        assert lake.collect_from <= item.day
        assert start_of_age(item.day, 1) <= item.since <= now
        assert item.age_owed <= age_of(item.day, now)
        assert item.expires_at == expires_at(item.day, lake)
        done = readings(held.get((item.stream, item.day)), item.day)
        assert (item.reason is Reason.FIRST) == (not done)
        assert not done or not done[-1].is_clean or done[-1].age < item.age_owed, "a paid reading is not due"


@given(moments, st.integers(0, 72), st.integers(0, 1))
def test_paying_everything_leaves_nothing(now: datetime, hours: int, runs_before: int) -> None:
    """Whoever pays all that is due owes nothing until the next age of some day, and then exactly that."""
    world = World(replace(TWO_STREAMS, collect_from=DAY - ONE_DAY * 3))
    for number in range(runs_before, 0, -1):
        world.pay(now - 50 * HOUR * number)
    world.pay(now)
    assert world.due(now) == []
    later = now + HOUR * hours
    days = [world.lake.collect_from + ONE_DAY * number for number in range(50)]
    expected = {
        (stream, day)
        for day in days
        for stream in world.lake.streams
        if any(now < _owed_from(day, age) <= later for age in DEFAULT_AGES) and later < expires_at(day, world.lake)
    }
    assert {(item.stream, item.day) for item in world.due(later)} == expected


def _owed_from(day: date, age: int) -> datetime:
    return first_due_at(day) if age == 1 else start_of_age(day, age)


@pytest.mark.fault(60)
def test_first_reading_is_left_to_the_daily_run() -> None:
    """Yesterday is not due before 07:00 UTC: the daily run begins at 06:00, and the two must not race."""
    lake = replace(LAKE, collect_from=DAY)
    assert due(first_due_at(DAY) - TICK, {}, lake) == []
    assert [item.day for item in due(first_due_at(DAY), {}, lake)] == [DAY]
    assert first_due_at(DAY) == datetime(2026, 11, 23, 7, tzinfo=UTC)


def test_reasons() -> None:
    """A due reading says why: first, middle or last; and one pass pays all ages that have come."""
    assert _reason(None, 3) == (Reason.FIRST, 2)
    assert _reason(read_at(1), 3) == (Reason.MIDDLE, 2)
    assert _reason(read_at(1), 9) == (Reason.MIDDLE, 8)
    assert _reason(read_at(1, 16), 27) == (Reason.LAST, 27)
    assert _reason(read_at(1), 30) == (Reason.LAST, 27)
    assert _reason(read_at(1, 8), 9) is None


def _reason(manifest: Manifest | None, age: int) -> tuple[Reason, int] | None:
    debt = owed(manifest, noon(age), LAKE, DAY)
    return (debt.reason, debt.age_owed) if debt else None


def test_priority() -> None:
    """First readings go before last ones, those before repetitions, and middle ones come last."""
    days = {number: DAY + ONE_DAY * number for number in range(40)}
    now = noon(36)
    held = {
        days[6]: manifest_of(days[6], one_pass(days[6], now - 3 * HOUR, missing=1)),  # age 30, and short
        days[7]: read_at(1, 2, day=days[7]),  # age 29: last
        days[8]: read_at(1, 2, day=days[8]),  # age 28: last
        days[11]: manifest_of(days[11], one_pass(days[11], now - 3 * HOUR, missing=1)),
        days[12]: manifest_of(days[12], one_pass(days[12], now - 3 * HOUR, failed="invalid JSON")),
        days[20]: read_at(1, 2, day=days[20]),  # age 16: middle
        **{days[number]: read_at(1, 2, day=days[number]) for number in (22, 26)},
    }
    manifests_held = {("sign_ins", day): manifest for day, manifest in held.items()}
    lake = replace(LAKE, collect_from=days[6])
    wanted = [7, 8, 6, 11, 12, 20, 22, 26]
    dues = [item for item in due(now, manifests_held, lake) if item.reason is not Reason.FIRST]
    assert [item.day for item in dues] == [days[number] for number in wanted]
    assert [item.reason for item in dues] == ["last", "last", "short", "short", "partial", "middle", "middle", "middle"]
    firsts = due(now, manifests_held, lake)[: -len(dues)]
    assert {item.reason for item in firsts} == {Reason.FIRST}
    assert [item.day for item in firsts] == sorted(set(days.values()) - set(held) - set(list(days.values())[36:]))[6:]


def test_every_day_is_read_at_its_ages_and_sealed() -> None:
    """With hourly runs each day is read at exactly the ages of the plan, and is then sealed and left alone."""
    for lake in (LAKE, WEEK):
        world = World(replace(lake, collect_from=DAY))
        world.run(start_of_age(DAY, 0), start_of_age(DAY, lake.retention_days + 3), 4 * HOUR)
        made = [age_of(DAY, now) for now, item in world.paid if item.day == DAY]
        assert made == list(lake.ages)
        assert world.states(start_of_age(DAY, lake.retention_days + 3))[DAY] is State.SEALED


def test_new_lake_owes_its_retention() -> None:
    """A new lake owes every day that Microsoft still has, the oldest first, and yesterday last."""
    now = datetime(2026, 11, 23, 9, tzinfo=UTC)
    for lake in (TWO_STREAMS, replace(TWO_STREAMS, retention_days=7)):
        new = replace(lake, collect_from=now.date() - timedelta(days=lake.retention_days), created_at=now - HOUR)
        dues = due(now, {}, new)
        owed_days = [new.collect_from + ONE_DAY * number for number in range(lake.retention_days)]
        assert [(item.stream, item.day) for item in dues] == [(s, day) for day in owed_days for s in new.streams]
        assert {item.reason for item in dues} == {Reason.FIRST}
        assert not any(item.is_overdue(now) for item in dues), "a lake that has just begun is not late"
        world = World(new)
        world.run(now, now + 24 * HOUR, HOUR, most=30)
        assert world.due(now + 14 * HOUR) == []
        assert State.LOST not in world.states(now + 24 * HOUR).values()


@pytest.mark.fault(53)
def test_outage_of_nine_days_heals() -> None:
    """After nine days without a run, ten days a run pay everything: no day is lost, nearest to expiry comes first."""
    world = World(replace(LAKE, collect_from=DAY - ONE_DAY * 40))
    world.run(noon(-39), noon(0))
    assert world.due(noon(0) - ONE_DAY) == []
    world.paid.clear()
    back = noon(9)
    backlog = world.due(back)
    assert [item.reason for item in backlog[:9]] == [Reason.FIRST] * 9
    world.run(back, back + 5 * HOUR, HOUR, most=10)
    assert [item for _, item in world.paid] == backlog
    assert world.due(back + 5 * HOUR) == []
    world.run(back + ONE_DAY, noon(60))
    found = {age_of(day, DAY_START): what for day, what in world.states(noon(60)).items() if age_of(day, noon(60)) > 27}
    assert set(found.values()) == {State.SEALED, State.SETTLED}
    unsealed = {age for age, what in found.items() if what is State.SETTLED}
    assert unsealed == set(range(22, 28)), "aged out during the outage, the last reading unmade; all others are sealed"


@pytest.mark.fault(53)
@pytest.mark.parametrize("lake", [LAKE, WEEK])
@pytest.mark.parametrize("hour", [0, 3, 7, 23])
def test_outage_of_31_days_loses_exactly_these(lake: LakeFacts, hour: int) -> None:
    """After 31 days without a run the lost days are exactly those that Graph cannot serve and nobody had read."""
    world = World(replace(lake, collect_from=DAY - ONE_DAY * 5))
    stop = start_of_age(DAY, 5) + hour * HOUR
    world.run(start_of_age(DAY, -5) + hour * HOUR, stop)
    back = stop + ONE_DAY * 31 - HOUR
    expected = []
    for number in range(age_of(world.lake.collect_from, back)):
        day = world.lake.collect_from + ONE_DAY * number
        try:
            check_day(day, back, lake.retention_days)
        except RetentionError:
            if ("sign_ins", day) not in world.manifests:
                expected.append(("sign_ins", day))
    assert expected
    assert lost_days(back, world.manifests, world.lake) == expected
    world.run(back, back + ONE_DAY * 3, HOUR)
    assert lost_days(back + ONE_DAY * 3, world.manifests, world.lake) == expected


@pytest.mark.fault(14, 53)
def test_outage_of_31_days_by_hand() -> None:
    """Runs end with 1 November 12:00 and begin again on 2 December 12:00: 1 November is lost, the 2nd is saved."""
    lake = replace(LAKE, collect_from=date(2026, 10, 31))
    held = {("sign_ins", date(2026, 10, 31)): read_at(1, day=date(2026, 10, 31))}
    back = datetime(2026, 12, 2, 12, tzinfo=UTC)
    assert lost_days(back, held, lake) == [("sign_ins", date(2026, 11, 1))]
    first = due(back, held, lake)[0]
    assert (first.day, first.expires_at) == (date(2026, 11, 2), datetime(2026, 12, 3, tzinfo=UTC))


@hypothesis_settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 60), outcomes), min_size=1, max_size=40), st.integers(1, 5), lakes)
def test_any_schedule_keeps_the_promise(runs: list[tuple[int, dict[str, Any]]], most: int, lake: LakeFacts) -> None:
    """However rarely runs come and whatever they bring: a day read in time is never lost, one sealed stays it."""
    world, now = World(replace(lake, collect_from=DAY - ONE_DAY * 3)), start_of_age(DAY, 0)
    sealed: set[date] = set()
    for hours, counts in runs:
        now += HOUR * hours
        found = world.states(now)
        assert all(found[day] is State.SEALED for day in sealed)
        for day, what in found.items():
            read_in_time = bool(readings(world.manifests.get(("sign_ins", day)), day))
            assert (what is State.LOST) == (not read_in_time and now >= expires_at(day, world.lake))
        sealed = {day for day, what in found.items() if what is State.SEALED}
        assert not sealed & {item.day for item in world.pay(now, most, **counts)}


# --- Short and partial passes ----------------------------------------------------------------------------------------


@pytest.mark.fault(15)
@pytest.mark.parametrize(
    ("counts", "reason"), [({"missing": 1}, Reason.SHORT), ({"failed": "invalid JSON"}, Reason.PARTIAL)]
)
def test_unclean_readings_are_repeated_within_bounds(counts: dict[str, Any], reason: Reason) -> None:
    """A short or failed reading is repeated after 1, 2 and 4 hours, then given up until the next age."""
    world = World(replace(LAKE, collect_from=DAY))
    now = start_of_age(DAY, 1)
    while now < start_of_age(DAY, 32):
        for item in world.due(now):
            if item.day == DAY:
                world.read(item, now, **counts)
        now += HOUR
    made = [(age_of(DAY, at), at.hour, item.reason) for at, item in world.paid]
    for age in (2, 4, 8, 16):
        assert [hour for made_at, hour, _ in made if made_at == age] == [0, 1, 3, 7]
    assert [hour for made_at, hour, _ in made if made_at == 1] == [7, 8, 10, 14]
    assert [hour for made_at, hour, _ in made if made_at == 27] == [0, 1, 3, 7]
    assert [(made_at, hour) for made_at, hour, _ in made if made_at > 27] == [(28, 0), (29, 0), (30, 0)]
    assert len(made) == 6 * (1 + MOST_REPEATS) + 3
    assert {why for made_at, hour, why in made if hour not in {0, 7}} == {reason}


def test_clean_repetition_pays() -> None:
    """A repetition that comes out clean ends the matter; the day heals from partial."""
    failed = read_at(1, 2, failed="invalid JSON")
    assert state(failed, noon(3), LAKE, DAY) is State.PARTIAL
    assert not is_safe(failed, noon(3), LAKE, DAY)
    healed = manifest_of(DAY, one_pass(DAY, noon(3)), known=failed)
    assert owed(healed, noon(3), LAKE, DAY) is None
    assert state(healed, noon(3), LAKE, DAY) is State.SETTLED


def test_failure_behind_a_clean_reading_is_repeated() -> None:
    """A day that was sealed and then, read by hand, turned out to hold what cannot be had is tried again."""
    manifest = manifest_of(DAY, one_pass(DAY, noon(28), failed="invalid JSON"), known=read_at(1, 27))
    assert state(manifest, noon(28), LAKE, DAY) is State.PARTIAL
    assert _reason(manifest, 29) == (Reason.PARTIAL, 27)


def test_short_listing_behind_a_clean_reading_unseals_nothing() -> None:
    """A day read by hand while Graph already deletes it misses records: it stays sealed and owes nothing."""
    manifest = manifest_of(DAY, one_pass(DAY, noon(30), missing=9), known=read_at(1, 27))
    assert state(manifest, noon(30), LAKE, DAY) is State.SEALED
    assert owed(manifest, noon(30) + 6 * HOUR, LAKE, DAY) is None


# --- Retention that changes ------------------------------------------------------------------------------------------


@pytest.mark.fault(34)
def test_shorter_retention_changes_what_can_be_read() -> None:
    """A retention that shrinks to seven days asks for nothing older, and loses no day that was read."""
    shrunk = replace(LAKE, retention_days=7, collect_from=DAY)  # the setting of the ages stays, and gives way
    now = noon(10)
    world = World(replace(LAKE, collect_from=DAY))
    world.run(noon(0), now)
    sealed, read = read_at(1, 27), world.manifests["sign_ins", DAY]
    assert state(sealed, noon(40), shrunk, DAY) is State.SEALED
    assert state(read, now, shrunk, DAY) is not State.LOST
    assert is_safe(read, now, shrunk, DAY)
    assert all(item.day >= date(2026, 11, 25) for item in due(now, world.manifests, shrunk))
    assert shrunk.ages == (1, 2, 3, 5, 6)
    assert state(None, now, shrunk, DAY) is State.LOST
    assert lost_days(now, world.manifests, shrunk) == []


def test_longer_retention_reopens_no_old_day() -> None:
    """A licence that makes retention longer owes more readings of what can be read, and none of what has gone."""
    week = manifest_of(DAY, *[one_pass(DAY, noon(age)) for age in (1, 2, 3, 5, 6)], retention_days=7)
    assert state(week, noon(8), WEEK, DAY) is State.SEALED
    assert state(week, noon(40), LAKE, DAY) is State.SEALED
    assert is_safe(week, noon(40), LAKE, DAY)
    assert _reason(week, 8) == (Reason.MIDDLE, 8)


def test_new_setting_reopens_no_old_day() -> None:
    """A later last age in the settings does not turn the days of the past red: their manifests name their plan."""
    changed = replace(LAKE, reread_ages=(1, 2, 4, 8, 16, 27, 29))
    old = manifest_of(DAY, one_pass(DAY, noon(27)), reread_ages=[1, 2, 4, 8, 16, 27])
    assert state(old, noon(40), changed, DAY) is State.SEALED
    assert _reason_in(changed, old, 29) is Reason.LAST


def _reason_in(lake: LakeFacts, manifest: Manifest, age: int) -> Reason | None:
    debt = owed(manifest, noon(age), lake, DAY)
    return debt.reason if debt else None
