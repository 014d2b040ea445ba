"""Records that come late, change, move, or are not what their schema says."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from plain_ground import PlainGround

from entra_lake.day_state import State, state
from entra_lake.holdings import read_facts
from entra_lake.progress import Progress
from entra_lake.slices import ONE_DAY
from sandbox import ticks
from simulation import DAY

pytestmark = pytest.mark.slow

SMALL_PAGES: dict[str, Any] = {"kind": "page_size", "rows": 20, "times": "always"}
MIDNIGHT = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC) + ONE_DAY


@pytest.mark.fault(23)
def test_records_that_appear_while_a_listing_is_paged(plain: PlainGround) -> None:
    """What comes up between two pages shifts them: this pass or the next has it, and nothing comes twice."""
    plain.fault(SMALL_PAGES, {"kind": "live_listing", "times": "always"})
    number = iter(range(1000))

    def appear(_: Progress) -> None:
        plain.show(f"appeared {(count := next(number))}", f"{23 - count % 24:02}:59:59Z")

    plain.collect("night", on_page=appear)
    assert plain.held().doubled == 0
    plain.wait(ONE_DAY.total_seconds())
    assert plain.collect_if_due("next")
    assert next(number) > 3, "nothing has appeared"
    plain.assert_truth()


LATE = {"5 minutes": 300, "2 hours": 7200, "24 hours": 86_400, "5 days": 432_000, "25 days": 2_160_000}


@pytest.mark.fault(25)
def test_late_records_are_had_by_the_next_reading(plain: PlainGround) -> None:
    """Whatever lateness within retention: the reading that is due next has the record, and no other."""
    for words, seconds in LATE.items():
        visible_at = ticks.iso(ticks.from_datetime(MIDNIGHT + timedelta(seconds=seconds)))
        plain.show(words, "23:59:59Z", visible_at=visible_at)
    readings = 0
    for _ in range(28):
        readings += plain.collect_if_due(f"reading {readings}")
        plain.wait(ONE_DAY.total_seconds())
    assert readings == 6, "ages 1, 2, 4, 8, 16 and 27"
    plain.assert_truth()
    assert set(LATE) <= plain.held().view.keys()


@pytest.mark.fault(26)
def test_contents_that_change_are_versions(plain: PlainGround) -> None:
    """Risk that is found after an hour, after two days and on day 20: each content stays, the view shows the last."""
    plain.show("it", riskState="none")
    plain.collect("night")
    for age, risk in ((2, "atRisk"), (4, "dismissed"), (27, "atRisk")):
        plain.cloud.clock.set(MIDNIGHT + (age - 1) * ONE_DAY + timedelta(hours=7))
        plain.show("it", riskState=risk)
        assert plain.collect_if_due(f"age {age}")
        plain.assert_truth()
    assert len(plain.contents_of("it")) == 3


@pytest.mark.fault(27)
def test_one_id_with_two_contents_in_one_listing(plain: PlainGround) -> None:
    """A record that changes its content and its place while it is listed comes twice: both are kept, one is shown.

    The rows behind it move up by one meanwhile; the next reading has whom that hid, and settles which content is last.
    """
    plain.show("it", "23:59:59Z", riskState="none")
    plain.fault(SMALL_PAGES, {"kind": "live_listing", "times": "always"})

    def change(progress: Progress) -> None:
        if progress.pages == 1:
            plain.show("it", "00:00:01Z", riskState="atRisk")

    plain.collect("night", on_page=change)
    assert len(plain.contents_of("it")) == 2
    assert plain.held().doubled == 0
    plain.collect("next")
    assert len(plain.contents_of("it")) == 2
    plain.assert_truth()


@pytest.mark.fault(28)
def test_an_event_that_crosses_midnight(plain: PlainGround) -> None:
    """A record whose time moves to the day before is new there, once; where it was it stays as it was shown."""
    before = DAY - ONE_DAY
    plain.show("it", "00:00:10Z")
    for day in (before, DAY):
        plain.collect("night", day)
    plain.show("it", "23:59:50Z", before)
    plain.wait(ONE_DAY.total_seconds())
    for day in (before, DAY):
        plain.collect("next", day)
    plain.assert_truth(before)
    assert plain.held().doubled == 0
    assert [len(plain.contents_of("it", day)) for day in (before, DAY)] == [1, 1]
    assert plain.manifest(before).passes[-1]["moved"] == 1


STRANGE: dict[str, dict[str, Any]] = {
    "text becomes an object": {"riskState": {"value": "none"}},
    "an object becomes text": {"status": "success", "location": "Freiburg"},
    "a collection becomes one": {"riskEventTypes_v2": "unfamiliarFeatures"},
    "a number becomes text": {"status": {"errorCode": "50126"}},
    "a truth becomes a number": {"isInteractive": 1},
    "nulls everywhere": dict.fromkeys(["status", "location", "deviceDetail", "riskState", "isInteractive"]),
}


@pytest.mark.fault(30)
def test_types_that_change(plain: PlainGround) -> None:
    """Values of other types are kept as they are, and told as drift; the day is whole, whatever comes first."""
    for number, (name, members) in enumerate(STRANGE.items()):
        plain.show(name, f"23:5{number}:00Z", **members)
    outcome = plain.collect()
    assert outcome.error is None
    plain.assert_truth()
    told = str(plain.manifest().drift)
    for path in ("riskState", "status", "riskEventTypes", "isInteractive"):
        assert path.split("_")[0] in told


HARD: dict[str, str] = {
    "five million characters": json.dumps({"userAgent": "x" * 5_000_000}),
    "NUL": json.dumps({"userDisplayName": "a\0b"}),
    "a lone surrogate": r'{"userDisplayName": "a\ud800b"}',
    "more than 64 bits": json.dumps({"status": {"errorCode": 2**70}}),
    "more than a double": r'{"location": {"geoCoordinates": {"latitude": 1e400, "longitude": 0.10000000000000000001}}}',
    "deep": r'{"deviceDetail": ' + '{"a": ' * 60 + "1" + "}" * 61,
}


@pytest.mark.fault(31)
def test_contents_that_are_hard_to_hold(plain: PlainGround) -> None:
    """What no column holds exactly is kept all the same, byte for byte in raw and by its meaning in the lake."""
    for number, (name, members) in enumerate(HARD.items()):
        time = f'"id": "{name}", "createdDateTime": "{DAY}T23:5{number}:00Z", '
        plain.cloud.control.add_record({"stream": "sign_ins", "raw": members.replace("{", "{" + time, 1)})
    plain.wait(1)
    assert plain.collect().error is None
    plain.assert_truth()
    assert set(HARD) <= plain.held().view.keys()


@pytest.mark.fault(35)
def test_a_licence_that_shows_nothing_at_first(plain: PlainGround) -> None:
    """Days that Graph lists as empty for three days are acknowledged with no rows, stay open, and fill up."""
    plain.fault({"kind": "short_listing", "share": 1.0, "where": "suffix", "times": "always"})
    plain.collect("night")
    assert plain.held().rows == 0
    lake = plain.open()
    facts = read_facts(lake)
    assert state(plain.manifest(), lake.clock.now(), facts, DAY) is State.OPEN
    plain.fault()
    plain.wait(ONE_DAY.total_seconds())
    assert plain.collect_if_due("next")
    assert plain.held().rows > 0
    plain.assert_truth()
