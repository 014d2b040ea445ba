"""What the tenant's records promise: determinism, lateness, versions, oddities, boundaries and a story."""

from __future__ import annotations

import json
import tracemalloc
from datetime import date
from pathlib import Path

import pytest

from entra_lake.streams import STREAMS
from sandbox import ticks
from sandbox.tenant.additions import Additions
from sandbox.tenant.people import Cast
from sandbox.tenant.records import Records
from sandbox.tenant.versions import Row

SIGN_INS, AUDITS = STREAMS["sign_ins"], STREAMS["directory_audits"]
STORY_DAY = date(2026, 11, 22)
DAY = date(2026, 11, 18)


def records(folder: Path, *, seed: int = 1, per_day: int = 400) -> Records:
    cast = Cast.of(seed, "11111111-2222-4333-a444-555555555555", per_day)
    return Records(cast, per_day, STORY_DAY, Additions(folder / "records.jsonl"))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    return list(records(tmp_path_factory.mktemp("many"), per_day=15_000).rows_of_day(SIGN_INS, DAY))


@pytest.mark.parametrize("stream", [SIGN_INS, AUDITS], ids=lambda stream: stream.name)
def test_records_do_not_depend_on_what_was_asked_before(tmp_path: Path, stream) -> None:  # noqa: ANN001
    """Seed, stream and day make the records; the order of questions does not."""
    forward, backward = records(tmp_path), records(tmp_path)
    days = [date(2026, 11, day) for day in range(15, 22)]
    one = {day: list(forward.rows_of_day(stream, day)) for day in days}
    other = {day: list(backward.rows_of_day(stream, day)) for day in reversed(days)}
    assert one == other
    assert one != {day: list(records(tmp_path, seed=2).rows_of_day(stream, day)) for day in days}


def test_a_day_holds_about_as_many_as_asked_for(many: list[Row]) -> None:
    """--sign-ins-per-day is what a working day holds, and ids are never used twice."""
    assert abs(len(many) - 15_000) < 100
    assert len({row.id for row in many}) == len(many)


@pytest.mark.parametrize(("stream", "last"), [(SIGN_INS, "23:59:59Z"), (AUDITS, "23:59:59.9999999Z")])
def test_both_ends_of_the_day_are_hit(tmp_path: Path, stream, last: str) -> None:  # noqa: ANN001
    """Each day has records at its first and at its very last instant."""
    for day in (DAY, STORY_DAY):
        rows = list(records(tmp_path).rows_of_day(stream, day))
        times = {json.loads(row.versions[0].body)[stream.time_field] for row in rows}
        assert {f"{day}T00:00:00Z", f"{day}T{last}"} <= times
        assert all(ticks.parse(text) // ticks.DAY * ticks.DAY == ticks.start_of(day) for text in times)


def test_the_clock_and_the_text_agree(many: list[Row]) -> None:
    """What the sandbox sorts and filters by is what the record says."""
    assert all(ticks.parse(json.loads(row.versions[0].body)["createdDateTime"]) == row.ticks for row in many[:500])


def test_records_become_visible_with_the_published_delays(many: list[Row]) -> None:
    """About 95 % within two minutes, 99 % within five, a few after hours, one in a thousand after up to five days."""
    delays = sorted((row.versions[0].visible_at - row.ticks) / ticks.SECOND for row in many)
    share = {bound: sum(delay <= bound for delay in delays) / len(delays) for bound in (120, 300, 7200)}
    assert share[120] == pytest.approx(0.95, abs=0.01)
    assert share[300] == pytest.approx(0.99, abs=0.003)
    assert share[7200] == pytest.approx(0.999, abs=0.001)
    assert 7200 < delays[-1] <= 5 * 86_400
    assert delays[0] > 0


def test_some_records_change_and_some_change_back(many: list[Row]) -> None:
    """Versions follow after an hour, two days and twenty days, under one id; A → B → A occurs."""
    changed = [row for row in many if len(row.versions) > 1]
    assert 0.01 < len(changed) / len(many) < 0.06
    assert {len(row.versions) for row in changed} == {2, 3, 4}
    assert any(
        row.versions[0].body == row.versions[2].body != row.versions[1].body for row in changed if len(row.versions) > 2
    )
    lags = {later.visible_at - row.versions[0].visible_at for row in changed for later in row.versions[1:]}
    assert lags == {ticks.HOUR, 2 * ticks.DAY, 20 * ticks.DAY}


def test_real_logs_oddities_occur(many: list[Row]) -> None:
    """Everything that was ever seen in a real log is somewhere in a large one, and all of it is JSON."""
    bodies = [row.versions[0].body for row in many]
    found = [json.loads(body) for body in bodies]
    everything = b"\n".join(bodies).decode()
    for piece in (
        ".XXX",
        "PII Removed",
        "<img src=x",
        "=cmd|",
        "\u202e",
        "\\ud800",
        "DROP TABLE",
        "'{identifier}'",
        '"SecurityDefaults"',
    ):
        assert piece in everything, piece
    assert any(len(record.get("appliedConditionalAccessPolicies") or ()) == 55 for record in found)
    assert any("status" not in record for record in found)
    assert any(record.get("deviceDetail", 1) is None for record in found)
    assert any(record.get("userPrincipalName") == "" for record in found)
    assert any(record.get("appDisplayName") == 365 for record in found)
    assert any(record.get("location") == {} for record in found)
    assert any("futureMember" in record for record in found)
    assert len({record["correlationId"] for record in found}) < len(found)


def test_audits_have_their_own_oddities(tmp_path: Path) -> None:
    """Ids with blanks, forms of initiatedBy, open-type members, en dashes, JSON inside of strings."""
    found = [json.loads(row.versions[0].body) for row in records(tmp_path, per_day=30_000).rows_of_day(AUDITS, DAY)]
    assert any(" " in record["id"] for record in found)
    forms = {tuple(sorted((record["initiatedBy"] or {}).items() and record["initiatedBy"])) for record in found}
    assert {(), ("user",), ("app", "user")} <= forms
    users = [record["initiatedBy"].get("user") or {} for record in found]
    assert {"userType", "homeTenantId", "homeTenantName", "agentType"} <= {name for user in users for name in user}
    assert any(
        record["activityDisplayName"].endswith("management ") and "–" in record["activityDisplayName"]
        for record in found
    )
    assert any(
        '"newValue":"\\"False\\""' in json.dumps(record, separators=(",", ":")) or "[true]" in json.dumps(record)
        for record in found
    )
    assert any(record["targetResources"] is None for record in found)


def test_the_story_is_told(tmp_path: Path) -> None:
    """Spray, fatigue, success, legacy mail, consent, security info, credential, role, new user, break glass."""
    told = records(tmp_path)
    sign_ins = [json.loads(row.versions[-1].body) for row in told.rows_of_day(SIGN_INS, STORY_DAY)]
    audits = [json.loads(row.versions[0].body) for row in told.rows_of_day(AUDITS, STORY_DAY)]
    intruder = [record for record in sign_ins if record.get("ipAddress") == "203.0.113.66"]
    errors = [record["status"]["errorCode"] for record in intruder]
    assert errors.count(500121) >= 10
    assert errors.count(0) >= 4
    assert any(record["clientAppUsed"] == "IMAP4" and record["status"]["errorCode"] == 0 for record in intruder)
    assert any(record["riskState"] == "confirmedCompromised" for record in intruder)
    assert any(record.get("userPrincipalName") == "break-glass@winter-gardens.example" for record in sign_ins)
    names = {record["activityDisplayName"].strip() for record in audits}
    assert {"Consent to application", "User registered security info", "Add member to role", "Add user"} <= names
    sprayed = [json.loads(row.versions[0].body) for row in told.rows_of_day(SIGN_INS, date(2026, 11, 19))]
    assert sum((record.get("status") or {}).get("errorCode") == 50126 for record in sprayed) >= 14


def test_a_million_a_day_need_no_day_in_memory(tmp_path: Path) -> None:
    """A busy tenant is made in chunks of five minutes: what it holds meanwhile follows the chunk, not the day."""
    busy = records(tmp_path, per_day=1_000_000)
    start = ticks.start_of(DAY) + 9 * ticks.HOUR
    tracemalloc.start()
    try:
        rows = busy.seen(SIGN_INS, start, start + ticks.DAY)
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 3_000 < len(rows) < 10_000
    assert most_bytes < 40_000_000, "a day's records would be gigabytes"
    assert len({json.loads(row.body)["userId"] for row in rows}) > 500


def test_an_id_that_no_maker_gives_is_not_looked_for(tmp_path: Path) -> None:
    """Every generated id holds a GUID; whoever adds an id without one need not wait for hours of a busy tenant."""
    made = records(tmp_path, per_day=60_000)
    assert made.find(SIGN_INS, "late-1", ticks.start_of(DAY)) is None
    assert not made._cache
    for stream in STREAMS.values():
        few = records(tmp_path)
        rows = [row for day in (DAY, STORY_DAY) for row in few.rows_of_day(stream, day)]
        assert all(few.find(stream, row.id, row.ticks) == row.ticks for row in rows)
