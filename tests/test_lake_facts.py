"""Plans of re-reading, and what calendar and lake.json say of a day: pure, and the same in every time zone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from due_world import DAY, HOUR, LAKE, World, lakes, manifests, moments
from entra_lake.day_state import state
from entra_lake.due import (
    due,
    is_safe,
)
from entra_lake.errors import ConfigurationError, RetentionError
from entra_lake.lake_facts import LakeFacts, age_of, expires_at, hours_to_expiry, start_of_age
from entra_lake.manifest import Manifest
from entra_lake.rereading import DEFAULT_AGES, default_ages, planned_ages
from entra_lake.settings import LakeSettings
from entra_lake.slices import check_day

# --- Plans of ages ---------------------------------------------------------------------------------------------------


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


# --- The lake and the calendar ---------------------------------------------------------------------------------------


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
