"""What of the last weeks is in the lake, as numbers: what the command, the watch and the pages show."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

from due_world import DAY, LAKE, ONE_DAY, TWO_STREAMS, manifest_of, noon, one_pass, read_at
from entra_lake.coverage import coverage, percentile
from entra_lake.day_state import State
from entra_lake.due import Reason
from entra_lake.lake_facts import StreamFacts

NOW = noon(1)  # 2026-11-23, noon
BEFORE = DAY - ONE_DAY


def test_every_stream_and_day_has_a_row() -> None:
    """States, what is owed, what the lake holds, and how long Microsoft still has the day."""
    lake = replace(TWO_STREAMS, collect_from=BEFORE)
    manifests = {
        ("sign_ins", BEFORE): read_at(2, day=BEFORE),
        ("sign_ins", DAY): manifest_of(
            DAY,
            one_pass(DAY, noon(1), new=90),
            one_pass(DAY, noon(1) + timedelta(minutes=5), new=10, missing=1),
            object={"rows": 105, "ids": 100},
            lateness={"12": 40, "24": 59, "more": 1},
            dropped=(4,),
        ),
    }
    found = coverage(NOW, manifests, lake, days=3)
    assert found.days == (BEFORE - ONE_DAY, BEFORE, DAY)
    assert {key: row.state for key, row in found.rows.items()} == {
        ("sign_ins", BEFORE - ONE_DAY): State.BEFORE,
        ("sign_ins", BEFORE): State.SETTLED,
        ("sign_ins", DAY): State.OPEN,
        ("directory_audits", BEFORE - ONE_DAY): State.BEFORE,
        ("directory_audits", BEFORE): State.MISSING,
        ("directory_audits", DAY): State.MISSING,
    }
    row = found.rows["sign_ins", DAY]
    assert (row.rows, row.ids, row.late_ids, row.readings, row.dropped) == (105, 100, 10, 2, (4,))
    assert (row.lateness_p50, row.lateness_p99) == (24.0, 24.0)
    assert row.is_short
    assert row.is_safe
    assert row.hours_to_expiry == 29 * 24 + 12
    assert found.rows["directory_audits", DAY].reason is Reason.FIRST
    assert not found.rows["directory_audits", DAY].is_overdue
    assert [row.day for row in found.overdue()] == [BEFORE]


def test_the_totals_say_whether_all_is_well() -> None:
    """A day is safe when all of its streams are; the next expiry is that of a day that is not sealed."""
    lake = replace(LAKE, collect_from=DAY - 29 * ONE_DAY)
    manifests = {
        ("sign_ins", day): read_at(*[age for age in lake.ages if age <= (DAY - day).days + 1], day=day)
        for day in (lake.collect_from + ONE_DAY * number for number in range(30))
    }
    found = coverage(NOW, manifests, lake)
    assert len(found.safe_days) == len(found.days_in_scope) == 30
    assert found.states[State.SEALED] == 4  # ages 27 to 30
    assert found.next_expiry_hours == 4 * 24 + 12  # the day of age 26
    del manifests["sign_ins", DAY - 10 * ONE_DAY]
    worse = coverage(NOW, manifests, lake)
    assert len(worse.safe_days) == 29
    assert [row.day for row in worse.having(State.MISSING)] == [DAY - 10 * ONE_DAY]


def test_overload_is_computed() -> None:
    """A tenant whose readings take more requests than a day allows, and one that is far behind."""
    manifests = {("sign_ins", DAY): read_at(1, pages=43_200 // 6)}
    lake = replace(LAKE, collect_from=DAY)
    assert coverage(NOW, manifests, lake).load == 1.0
    assert not coverage(NOW, manifests, lake).is_overloaded
    assert coverage(NOW, manifests, lake, requests_per_10_seconds=4).is_overloaded
    behind = coverage(NOW, manifests, replace(lake, collect_from=DAY - 29 * ONE_DAY))
    assert behind.requests_due == 29 * 7200
    assert behind.is_overloaded


def test_a_stream_that_came_later_begins_later() -> None:
    """What lies before a stream was added is out of scope, not lost; one that Graph keeps for less expires earlier."""
    facts = {"directory_audits": StreamFacts(collect_from=DAY, retention_days=7)}
    found = coverage(NOW, {}, replace(TWO_STREAMS, stream_facts=facts), days=40)
    states = {row.state for row in found.rows.values() if row.stream == "directory_audits"}
    assert states == {State.BEFORE, State.MISSING}
    assert found.rows["directory_audits", DAY].hours_to_expiry == 7 * 24 - 12
    assert found.rows["sign_ins", DAY - 35 * ONE_DAY].state is State.LOST


def test_it_is_json() -> None:
    """A machine can read everything; without manifests, too."""
    found = coverage(NOW, {}, LAKE, days=2).to_dict()
    assert json.loads(json.dumps(found)) == found
    assert found["totals"]["states"] == {"missing": 2}
    assert found["rows"][0]["day"] == str(BEFORE)


def test_percentiles_are_bounds_of_the_histogram() -> None:
    """Nothing is known without counts, and nothing beyond the last bound."""
    assert percentile({}, 0.5) is None
    assert percentile({"more": 3}, 0.5) is None
    assert percentile({"6": 50, "720": 49, "more": 1}, 0.5) == 6
    assert percentile({"6": 50, "720": 49, "more": 1}, 0.99) == 720
    assert percentile({"6": 1, "more": 1}, 0.99) is None
