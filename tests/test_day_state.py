"""What is known of a day: decided by manifest, lake and clock alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given

from due_world import DAY, HOUR, LAKE, ONE_DAY, TICK, lakes, manifest_of, manifests, moments, noon, one_pass, read_at
from entra_lake.day_state import State, readings, state
from entra_lake.due import (
    SAFE,
    Reason,
    due,
    is_safe,
    lost_days,
    owed,
)
from entra_lake.lake_facts import LakeFacts, expires_at, first_due_at, start_of_age
from entra_lake.manifest import Manifest
from entra_lake.passes import PassReport
from entra_lake.settings import LakeSettings
from entra_lake.slices import Slice


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
