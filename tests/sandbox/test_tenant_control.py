"""The control API: truth, clock, added records and versions, reset."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tenant_visitor import Visitor

from entra_lake.streams import STREAMS
from sandbox.serve import Sandbox

NOW = datetime(2026, 11, 23, 5, tzinfo=UTC)
DAY = "2026-11-22"
SIGN_INS = STREAMS["sign_ins"]


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path, seed=1, now=NOW, frozen=True, with_aws=False, throttled=False) as cloud:
        yield cloud


@pytest.fixture
def visitor(cloud: Sandbox) -> Visitor:
    return Visitor(cloud)


def listed(visitor: Visitor, day: str) -> dict[str, dict]:
    return {row["id"]: row for row in visitor.rows(visitor.day_url(SIGN_INS, day))}


def test_the_truth_tells_what_has_been_visible(visitor: Visitor) -> None:
    """Never a version of the future; later ones appear when the clock reaches them, numbered in order."""
    before = visitor.truth(SIGN_INS, DAY, "all")
    visitor.control("POST", "/clock", {"advance_seconds": 3 * 86_400})
    after = visitor.truth(SIGN_INS, DAY, "all")
    assert all(line["visible_at"] <= "2026-11-23T05:00:00Z" for line in before)
    assert [line for line in after if line in before] == before
    assert len(after) > len(before)
    numbers: dict[str, list[int]] = {}
    for line in after:
        numbers.setdefault(line["id"], []).append(line["version"])
    assert all(versions == list(range(1, len(versions) + 1)) for versions in numbers.values())
    visitor.log_in()
    assert listed(visitor, DAY) == visitor.current(SIGN_INS, DAY)


def test_the_clock_moves_freezes_and_is_remembered(cloud: Sandbox, visitor: Visitor, tmp_path: Path) -> None:
    """Set, advanced, thawed: the answer says what it shows; a next sandbox on the folder goes on from there."""
    assert visitor.control("POST", "/clock", {"now": "2026-12-01T12:00:00"})["now"] == "2026-12-01T12:00:00Z"
    assert visitor.control("POST", "/clock", {"advance_seconds": 60})["now"] == "2026-12-01T12:01:00Z"
    assert visitor.session.post(visitor.settings["control_url"] + "/clock", json={"when": 1}).status_code == 400
    cloud.stop()
    with Sandbox(tmp_path, with_aws=False) as again:
        assert again.clock.now() == datetime(2026, 12, 1, 12, 1, tzinfo=UTC)
        again.clock.freeze(frozen=False)
        assert 0 <= (again.clock.now() - datetime(2026, 12, 1, 12, 1, tzinfo=UTC)).total_seconds() < 5


def test_records_can_be_added(cloud: Sandbox, visitor: Visitor) -> None:
    """An added record is listed once its time has come, and the truth knows it."""
    record = {"id": "added", "createdDateTime": f"{DAY}T12:00:00Z", "userAgent": "ü"}
    visitor.control("POST", "/records", {"stream": "sign_ins", "record": record, "visible_at": "2026-11-23T06:00:00Z"})
    assert "added" not in listed(visitor, DAY)
    cloud.clock.advance(3600)
    visitor.log_in()
    assert listed(visitor, DAY)["added"] == record
    assert visitor.current(SIGN_INS, DAY)["added"] == record
    visitor.control("POST", "/records", {"stream": "sign_ins", "record": record | {"userAgent": "ö"}})
    told = [line["record"]["userAgent"] for line in visitor.truth(SIGN_INS, DAY, "all") if line["id"] == "added"]
    assert told == ["ü", "ö"]


def test_a_new_version_replaces_the_generated_one(visitor: Visitor) -> None:
    """The same id with other content: one row in the listing, two versions in the truth."""
    record_id, record = next(iter(listed(visitor, DAY).items()))
    changed = record | {"riskState": "confirmedCompromised"}
    visitor.control("POST", "/records", {"stream": "sign_ins", "record": changed})
    assert listed(visitor, DAY)[record_id] == changed
    told = [line["record"] for line in visitor.truth(SIGN_INS, DAY, "all") if line["id"] == record_id]
    assert told == [record, changed]


def test_a_version_can_cross_midnight(visitor: Visitor) -> None:
    """When a version's event time moves to the next day, the old day no longer lists the id."""
    record_id, record = next(iter(listed(visitor, DAY).items()))
    moved = record | {"createdDateTime": "2026-11-23T00:00:01Z"}
    visitor.control("POST", "/records", {"stream": "sign_ins", "record": moved})
    assert record_id not in listed(visitor, DAY)
    assert listed(visitor, "2026-11-23")[record_id] == moved
    assert [line["record"] for line in visitor.truth(SIGN_INS, DAY, "all") if line["id"] == record_id] == [record]


def test_raw_text_is_served_as_it_is(visitor: Visitor) -> None:
    """Poison: text that is no JSON stands in the page as given, and the truth tells it as raw."""
    poison = '{"id":"poison","createdDateTime":"2026-11-22T12:00:00Z","x":\x01}'
    visitor.control(
        "POST",
        "/records",
        {"stream": "sign_ins", "raw": poison, "id": "poison", "event_time": f"{DAY}T12:00:00Z"},
    )
    assert poison.encode() in visitor.get(visitor.day_url(SIGN_INS, DAY)).content
    assert [line["raw"] for line in visitor.truth(SIGN_INS, DAY, "all") if line["id"] == "poison"] == [poison]


def test_reset_forgets_what_tests_did(cloud: Sandbox, visitor: Visitor) -> None:
    """Added records, faults and noted requests are gone; tenant and clock stay."""
    before = listed(visitor, DAY)
    visitor.control(
        "POST", "/records", {"stream": "sign_ins", "record": {"id": "x", "createdDateTime": f"{DAY}T01:00:00Z"}}
    )
    visitor.faults({"kind": "status", "times": "always"}, latency_seconds=0.5)
    visitor.control("POST", "/reset")
    assert visitor.control("GET", "/requests") == []
    assert listed(visitor, DAY) == before
    assert visitor.control("GET", "/state")["faults"]["faults"] == []


def test_the_state_says_simulated(visitor: Visitor) -> None:
    """Whoever looks sees that nothing here is real."""
    state = visitor.control("GET", "/state")
    assert state["simulated"] is True
    assert "SIMULATED" in state["tenant_name"]
    assert state["story_day"] == DAY
    assert state["now"] == "2026-11-23T05:00:00Z"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/records", {"stream": "frob", "record": {}}),
        ("/records", {"stream": "sign_ins", "record": {}}),
        ("/clock", {"now": "x"}),
    ],
)
def test_mistakes_are_explained(visitor: Visitor, path: str, body: dict) -> None:
    """A bad request is a 400 that says why, never a stack trace or a hang-up."""
    answer = visitor.session.post(visitor.settings["control_url"] + path, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_the_truth_leaves_out_what_nobody_could_list(visitor: Visitor) -> None:
    """A content that was replaced before any listing held it is told only on demand; a listed one stays told."""
    record = {"id": "added", "createdDateTime": f"{DAY}T12:00:00Z"}
    for agent in ("never listed", "listed", "now"):
        visitor.control("POST", "/records", {"stream": "sign_ins", "record": record | {"userAgent": agent}})
        visitor.control("POST", "/clock", {"advance_seconds": 60})
        if agent == "listed":
            visitor.log_in()
            assert listed(visitor, DAY)["added"]["userAgent"] == agent

    def told(versions: str) -> list[str]:
        lines = visitor.truth(SIGN_INS, DAY, versions)
        return [line["record"]["userAgent"] for line in lines if line["id"] == "added"]

    assert told("") == ["listed", "now"]
    assert told("all") == ["never listed", "listed", "now"]
