"""What is owed, and what is known of a day: decided by manifests, lake and clock alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from entra_lake.day_state import MOST_REPEATS, State, readings, state
from entra_lake.due import (
    FIRST_OVERDUE_AFTER,
    OVERDUE_AFTER,
    PRIORITY,
    SAFE,
    UNKNOWN_REQUESTS,
    Due,
    Reason,
    affordable,
    due,
    endangered,
    estimate_requests,
    is_safe,
    lost_days,
    owed,
)
from entra_lake.errors import ConfigurationError, RetentionError
from entra_lake.lake_facts import LakeFacts, age_of, expires_at, first_due_at, hours_to_expiry, start_of_age
from entra_lake.manifest import Manifest, add_passes
from entra_lake.passes import PassReport, SliceReport, summarise
from entra_lake.rereading import DEFAULT_AGES, default_ages, planned_ages
from entra_lake.settings import LakeSettings
from entra_lake.slices import Slice, check_day, iso

DAY = date(2026, 11, 22)
DAY_START = datetime(2026, 11, 22, tzinfo=UTC)
HOUR = timedelta(hours=1)
ONE_DAY = timedelta(days=1)
TICK = timedelta.resolution
LAKE = LakeFacts(
    tenant_id="t", collect_from=date(2026, 10, 1), retention_days=30, reread_ages=DEFAULT_AGES, streams=("sign_ins",)
)
WEEK = replace(LAKE, retention_days=7, reread_ages=default_ages(7))
TWO_STREAMS = replace(LAKE, streams=("sign_ins", "directory_audits"))


def one_pass(day: date, at: datetime, *, window: Slice | None = None, **counts: Any) -> PassReport:
    """Return a pass over the day in one slice, started at this time."""
    span = window or Slice.of_day(day)
    bounds = {"start": iso(span.start), "end": iso(span.end)}
    return PassReport(
        pass_id=f"{at:%Y%m%dT%H%M%SZ}-00000000",
        run_id="run",
        started_at=iso(at),
        finished_at=iso(at + HOUR),
        slices=(SliceReport(**bounds, **{"pages": 3, **counts}),),
        **bounds,
    )


def manifest_of(day: date, *passes: PassReport, known: Manifest | None = None, **members: Any) -> Manifest:
    """Return the manifest that acknowledges these passes, behind those of an earlier one."""
    return Manifest(
        stream="sign_ins",
        day=str(day),
        tenant_id="t",
        committed_at="2026-11-23T07:00:00Z",
        passes=add_passes(known.passes if known else (), map(summarise, passes)),
        athena={},
        **{"retention_days": 30, "object": {}, **members},
    )


def read_at(*ages: int, day: date = DAY, **counts: Any) -> Manifest:
    """Return the manifest of a day that was read at noon of these ages, the last time with these counts."""
    moments = [start_of_age(day, age) + 12 * HOUR for age in ages]
    return manifest_of(day, *[one_pass(day, at) for at in moments[:-1]], one_pass(day, moments[-1], **counts))


def noon(age: int, day: date = DAY) -> datetime:
    """Return noon of the day that many days later."""
    return start_of_age(day, age) + 12 * HOUR


class World:
    """A lake of manifests that pays what is due."""

    def __init__(self, lake: LakeFacts) -> None:
        self.lake = lake
        self.manifests: dict[tuple[str, date], Manifest] = {}
        self.paid: list[tuple[datetime, Due]] = []

    def due(self, now: datetime) -> list[Due]:
        return due(now, self.manifests, self.lake)

    def read(self, item: Due, now: datetime, **counts: Any) -> None:
        """Read a day that is due; Graph must not refuse it."""
        check_day(item.day, now, self.lake.retention_days)
        key = (item.stream, item.day)
        done = one_pass(item.day, now, **counts)
        self.manifests[key] = manifest_of(
            item.day, done, known=self.manifests.get(key), retention_days=self.lake.retention_days
        )
        self.paid.append((now, item))

    def pay(self, now: datetime, most: int | None = None, **counts: Any) -> list[Due]:
        """Read what is due, the most urgent first."""
        items = self.due(now)[:most]
        for item in items:
            self.read(item, now, **counts)
        return items

    def run(self, begin: datetime, end: datetime, step: timedelta = ONE_DAY, most: int | None = None) -> None:
        """Pay at regular times."""
        while begin < end:
            self.pay(begin, most)
            begin += step

    def states(self, now: datetime) -> dict[date, State]:
        """Return the states of the days of the first stream, from the first in scope to yesterday."""
        days = (self.lake.collect_from + ONE_DAY * number for number in range(age_of(self.lake.collect_from, now)))
        stream = self.lake.streams[0]
        return {day: state(self.manifests.get((stream, day)), now, self.lake, day) for day in days}


#: Moments of a few weeks, to the minute, often at midnight and at seven.
moments = st.builds(
    lambda age, minute: start_of_age(DAY, age) + timedelta(minutes=minute),
    st.integers(0, 34),
    st.sampled_from((0, 1, 419, 420, 421, 720, 1439)) | st.integers(0, 1439),
)
outcomes = st.fixed_dictionaries(
    {},
    optional={"new": st.just(4), "changed": st.just(2), "missing": st.just(1), "failed": st.just("invalid JSON")},
)
#: A day's manifest after passes at any times with any outcomes.
manifests = st.lists(st.tuples(moments, outcomes), max_size=7, unique_by=lambda item: item[0]).map(
    lambda made: manifest_of(DAY, *[one_pass(DAY, at, **counts) for at, counts in made]) if made else None
)
lakes = st.sampled_from((LAKE, WEEK, replace(LAKE, reread_ages=(3, 9)), replace(LAKE, retention_days=14)))


# --- Plans of ages -------------------------------------------------------------------------------------------------


@pytest.mark.fault(34)
@given(st.integers(1, 730))
def test_default_plan_fits_retention(retention_days: int) -> None:
    """Whatever the retention, the default plan begins at age 1, ascends and ends while Graph still serves the day."""
    ages = default_ages(retention_days)
    assert ages[0] == 1
    assert list(ages) == sorted(set(ages))
    assert ages[-1] < max(2, retention_days)


def test_default_plans_of_the_documentation() -> None:
    """30 days are read at 1, 2, 4, 8, 16 and 27; 7 days at 1, 2, 3, 5 and 6; nobody's last days go without."""
    assert default_ages(30) == default_ages(90) == (1, 2, 4, 8, 16, 27)
    assert default_ages(7) == (1, 2, 3, 5, 6)
    assert default_ages(27)[-1] == 26


def test_wanted_plan_holds_while_it_fits() -> None:
    """A plan of one's own is kept, in order and with the first reading; one that retention cuts off is replaced."""
    assert planned_ages((20, 3), 30) == (1, 3, 20)
    assert planned_ages((20, 3), 7) == (1, 2, 3, 5, 6)
    assert planned_ages((29,), 30) == (1, 29)
    assert planned_ages((30,), 30) == DEFAULT_AGES
    assert planned_ages((), 30) == (1,)


# --- The lake and the calendar -------------------------------------------------------------------------------------


def test_facts_from_lake_json_and_settings() -> None:
    """lake.json says for whom and from when, the settings say what is read how often."""
    lake_json = {"tenant_id": "t", "collect_from": "2026-10-24", "created_at": "2026-11-23T07:00:00Z", "format": 1}
    lake = LakeFacts.read(lake_json, LakeSettings(bucket="b", retention_days=7))
    assert (lake.tenant_id, lake.collect_from, lake.retention_days) == ("t", date(2026, 10, 24), 7)
    assert lake.created_at == datetime(2026, 11, 23, 7, tzinfo=UTC)
    assert lake.ages == (1, 2, 3, 5, 6)


@pytest.mark.parametrize("collect_from", [None, "soon", 7])
def test_facts_refuse_a_lake_without_beginning(collect_from: Any) -> None:
    """A lake.json that does not say where the lake begins stops everything: all of the past might be lost."""
    with pytest.raises(ConfigurationError, match=r"lake\.json"):
        LakeFacts.read({"tenant_id": "t", "collect_from": collect_from}, LakeSettings(bucket="b"))
    with pytest.raises(ConfigurationError, match="collect_from"):
        LakeFacts.read({"tenant_id": "t"}, LakeSettings(bucket="b"))


@given(moments, lakes)
def test_expiry_is_where_graph_refuses(now: datetime, lake: LakeFacts) -> None:
    """A day has expired exactly when asking for it would be refused."""
    now = now.replace(tzinfo=UTC)
    if now >= expires_at(DAY, lake):
        with pytest.raises(RetentionError):
            check_day(DAY, now, lake.retention_days)
        assert hours_to_expiry(DAY, now, lake) == 0
    else:
        check_day(DAY, now, lake.retention_days)
        assert hours_to_expiry(DAY, now, lake) > 0


def test_hours_to_expiry_count_down() -> None:
    """The last hours are counted to the midnight at which Graph begins to refuse."""
    assert hours_to_expiry(DAY, datetime(2026, 12, 22, 22, tzinfo=UTC), LAKE) == 2
    assert hours_to_expiry(DAY, datetime(2026, 12, 22, 23, 30, tzinfo=UTC), LAKE) == 0.5


@pytest.mark.fault(59)
@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2024, 2, 28), date(2024, 3, 30)),  # over a leap day: one date earlier than in other years
        (date(2025, 2, 28), date(2025, 3, 31)),
        (date(2024, 2, 29), date(2024, 3, 31)),
        (date(2026, 12, 31), date(2027, 1, 31)),
        (date(2026, 3, 28), date(2026, 4, 28)),  # over the beginning of summer time
        (date(2026, 10, 24), date(2026, 11, 24)),  # and its end
    ],
)
def test_calendar_edges(day: date, expected: date) -> None:
    """Leap days, years' ends and clock changes lengthen or shorten nothing: ages are UTC dates."""
    assert expires_at(day, LAKE) == datetime(expected.year, expected.month, expected.day, tzinfo=UTC)
    lake = replace(LAKE, collect_from=day)
    world = World(lake)
    world.run(start_of_age(day, 0), start_of_age(day, 33), 12 * HOUR)
    made = [age_of(day, now) for now, item in world.paid if item.day == day]
    assert made == list(DEFAULT_AGES)


@pytest.mark.fault(59)
@given(moments, manifests, st.sampled_from(("Europe/Berlin", "America/Los_Angeles", "Pacific/Kiritimati")))
def test_local_time_changes_nothing(now: datetime, manifest: Manifest | None, zone: str) -> None:
    """The clock's zone does not matter, summer time or not: the same moment gives the same answer."""
    local = now.astimezone(ZoneInfo(zone))
    held = {("sign_ins", DAY): manifest} if manifest else {}
    assert due(local, held, LAKE) == due(now, held, LAKE)
    assert state(manifest, local, LAKE, DAY) == state(manifest, now, LAKE, DAY)
    assert is_safe(manifest, local, LAKE, DAY) == is_safe(manifest, now, LAKE, DAY)


# --- States --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("manifest", "now", "expected"),
    [
        (None, noon(0), State.OPEN),  # the day is not over
        (None, first_due_at(DAY) - TICK, State.OPEN),  # the daily run has its turn first
        (None, first_due_at(DAY), State.MISSING),
        (None, expires_at(DAY, LAKE) - TICK, State.MISSING),
        (None, expires_at(DAY, LAKE), State.LOST),
        (read_at(1), noon(1), State.OPEN),
        (read_at(1), noon(40), State.OPEN),  # aged out after a complete pass: not lost, never sealed
        (read_at(1, 2), noon(2), State.SETTLED),
        (read_at(1, 2, new=1), noon(2), State.OPEN),
        (read_at(1, 2, changed=1), noon(2), State.OPEN),
        (read_at(1, 2, missing=1), noon(2), State.OPEN),
        (read_at(1, 27), noon(27), State.SEALED),
        (read_at(1, 28, new=1), noon(40), State.SEALED),  # news do not make a reading unclean
        (read_at(1, 27, missing=1), noon(27), State.OPEN),
        (read_at(1, failed="invalid JSON"), noon(1), State.PARTIAL),
        (read_at(1, failed="invalid JSON"), noon(40), State.PARTIAL),  # what the lake has, it has
        (read_at(1, 27, failed="invalid JSON"), noon(27), State.PARTIAL),
    ],
)
def test_states(manifest: Manifest | None, now: datetime, expected: State) -> None:
    """Each state, at the moments between which it changes."""
    assert state(manifest, now, LAKE, DAY) is expected


def test_days_before_the_lake() -> None:
    """What is older than the lake is out of scope, neither lost nor safe nor due, read or not."""
    lake = replace(LAKE, collect_from=DAY + ONE_DAY)
    for manifest in (None, read_at(1, 27)):
        assert state(manifest, noon(40), lake, DAY) is State.BEFORE
        assert not is_safe(manifest, noon(40), lake, DAY)
        assert owed(manifest, noon(3), lake, DAY) is None
    assert [item.day for item in due(noon(2), {}, lake)] == [DAY + ONE_DAY]


def test_today_stays_open() -> None:
    """Today, read by hand up to now, is open and safe, and is owed tomorrow as if nothing had been read."""
    today = Slice(start_of_age(DAY, 0), noon(0))
    manifest = manifest_of(DAY, one_pass(DAY, noon(0), window=today))
    assert state(manifest, noon(0), LAKE, DAY) is State.OPEN
    assert is_safe(manifest, noon(0), LAKE, DAY)
    assert state(manifest, first_due_at(DAY), LAKE, DAY) is State.MISSING
    assert [item.reason for item in due(noon(1), {("sign_ins", DAY): manifest}, LAKE) if item.day == DAY] == ["first"]
    assert state(manifest, expires_at(DAY, LAKE), LAKE, DAY) is State.LOST


def test_what_the_lake_keeps_no_longer_is_not_lost() -> None:
    """Lifecycle rules remove a day with its manifest: it is `before`. One that is still there says what it is."""
    lake = LakeFacts.read(
        {"tenant_id": "t", "collect_from": "2026-10-01"}, LakeSettings(bucket="b", retention_days=30, keep_days=90)
    )
    assert state(None, noon(90), lake, DAY) is State.LOST
    assert state(None, noon(91), lake, DAY) is State.BEFORE
    assert state(read_at(1, 27), noon(91), lake, DAY) is State.SEALED
    assert lost_days(noon(91), {}, lake)[0] == (lake.streams[0], DAY + ONE_DAY)


@pytest.mark.parametrize(
    "broken",
    [
        one_pass(DAY, noon(2), window=Slice(start_of_age(DAY, 0) + HOUR, start_of_age(DAY, 1))),
        one_pass(DAY, noon(2), window=Slice(start_of_age(DAY, 0), start_of_age(DAY, 1) - HOUR)),
        replace(one_pass(DAY, noon(2)), finished_at=None),
        one_pass(DAY, noon(0)),  # started before the day was over, whatever it claims
    ],
)
def test_only_a_complete_pass_over_the_whole_day_pays(broken: PassReport) -> None:
    """A pass over a part of the day, or one that did not end, pays nothing and saves nothing."""
    manifest = manifest_of(DAY, broken)
    assert readings(manifest, DAY) == []
    debt = owed(manifest, noon(2), LAKE, DAY)
    assert debt is not None
    assert debt.reason is Reason.FIRST
    assert state(manifest, noon(40), LAKE, DAY) is State.LOST


def test_midnight_decides_the_age() -> None:
    """A pass that starts at 23:59 pays the age that ends, one at 00:00 the age that begins."""
    midnight = start_of_age(DAY, 2)
    before = manifest_of(DAY, one_pass(DAY, midnight - timedelta(minutes=1)))
    behind = manifest_of(DAY, one_pass(DAY, midnight))
    assert owed(before, midnight - TICK, LAKE, DAY) is None
    assert getattr(owed(before, midnight, LAKE, DAY), "age_owed", None) == 2
    assert owed(behind, start_of_age(DAY, 4) - TICK, LAKE, DAY) is None


@given(manifests, moments, moments, lakes)
def test_time_alone_improves_nothing(
    manifest: Manifest | None, now: datetime, later: datetime, lake: LakeFacts
) -> None:
    """While nothing is read, sealed stays sealed, lost stays lost, and what is not safe does not become it."""
    now, later = sorted((now, later))
    manifest = manifest and replace(manifest, retention_days=lake.retention_days)
    before, behind = (state(manifest, moment, lake, DAY) for moment in (now, later))
    if before in {State.SEALED, State.LOST, State.PARTIAL, State.SETTLED}:
        assert behind is before
    if not is_safe(manifest, now, lake, DAY):
        assert not is_safe(manifest, later, lake, DAY)


@given(manifests, moments, lakes)
def test_states_mean_what_they_say(manifest: Manifest | None, now: datetime, lake: LakeFacts) -> None:
    """Sealed: a clean pass paid the last age. Lost: expired without a complete pass. Only the three states are safe."""
    found, done = state(manifest, now, lake, DAY), readings(manifest, DAY)
    if found is State.SEALED:
        assert any(item.age >= lake.ages[-1] and not item.is_short and not item.has_failed for item in done)
        assert owed(manifest, now, lake, DAY) is None
    assert (found is State.LOST) == (not done and now >= expires_at(DAY, lake))
    assert (found is State.PARTIAL) == bool(done and done[-1].has_failed)
    if is_safe(manifest, now, lake, DAY):
        assert found in SAFE
    if found in {State.MISSING, State.LOST, State.PARTIAL, State.BEFORE}:
        assert not is_safe(manifest, now, lake, DAY)


@given(manifests, moments, lakes)
def test_another_clean_pass_never_harms(manifest: Manifest | None, now: datetime, lake: LakeFacts) -> None:
    """After a complete and clean pass nothing is owed of that moment, and the day is safe; sealed stays sealed."""
    if not first_due_at(DAY) <= now < expires_at(DAY, lake):
        return
    earlier = manifest and manifest_of(DAY, known=replace(manifest, passes=tuple(_until(manifest, now))))
    before = state(earlier, now, lake, DAY)
    paid = manifest_of(DAY, one_pass(DAY, now), known=earlier)
    assert owed(paid, now, lake, DAY) is None
    assert is_safe(paid, now, lake, DAY)
    if before is State.SEALED:
        assert state(paid, now, lake, DAY) is State.SEALED


def _until(manifest: Manifest, now: datetime) -> Iterable[Any]:
    return (item for item in manifest.passes if datetime.fromisoformat(item["started_at"]) < now)


# --- What is due ---------------------------------------------------------------------------------------------------


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


# --- Short and partial passes --------------------------------------------------------------------------------------


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


# --- Retention that changes ----------------------------------------------------------------------------------------


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


# --- Safety and alarms ---------------------------------------------------------------------------------------------


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


# --- Overload ------------------------------------------------------------------------------------------------------


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
