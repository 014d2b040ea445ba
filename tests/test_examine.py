"""Rules run over days of a lake: what they find is kept once, and none stops another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from entra_lake.__main__ import main
from entra_lake.errors import AthenaUnavailableError, DetectionFailedError
from entra_lake.examine import Examined, Failed, examine, recent_days
from entra_lake.lake import Lake
from entra_lake.layout import findings_key
from entra_lake.tables import prepare
from sandbox.environment import environment
from sandbox.serve import Sandbox
from simulation import NOW, make_lake
from verified_days import (
    AUDITS,
    BODY,
    SIGN_INS,
    VerifiedDays,
    created_user,
    examination,
    hit,
    with_rules,
    write_rule,
)

DAY = date(2026, 11, 22)
BEFORE = DAY - timedelta(days=1)


@pytest.fixture(scope="module", name="running")
def start_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Start one cloud for all tests."""
    folder = tmp_path_factory.mktemp("examined") / "cloud"
    with Sandbox(folder, seed=7, now=NOW, frozen=True, sign_ins_per_day=10, throttled=False) as running:
        yield running


@pytest.fixture(scope="module", name="prepared")
def prepare_lake(running: Sandbox) -> VerifiedDays:
    """Prepare one lake for all tests."""
    lake = make_lake(running)
    prepare(lake)
    return VerifiedDays(lake)


@pytest.fixture
def lake(prepared: VerifiedDays, running: Sandbox) -> Lake:
    """Return the lake, with no rules but those that a test adds."""
    prepared.empty()
    running.clock.set(NOW)
    return with_rules(prepared.lake)


@pytest.fixture
def days(lake: Lake, prepared: VerifiedDays) -> VerifiedDays:
    """Return what fills the lake with verified days."""
    return prepared


def findings(lake: Lake) -> list[dict[str, str | None]]:
    """Return what analysts see."""
    return list(lake.athena.run("SELECT * FROM findings ORDER BY dt, rule, entity").rows)


def test_what_a_rule_finds_is_in_the_table(lake: Lake, days: VerifiedDays) -> None:
    """One row per rule, day and entity, with its evidence, in the partition of the day."""
    days.put(AUDITS, DAY, [created_user("eve", DAY), created_user("eve", DAY, "11:30:00")])
    done = examine(with_rules(lake, shipped=["user_created"]), [DAY])
    assert (done.new, done.failed, done.error()) == (1, [], None)
    (row,) = findings(lake)
    assert (row["dt"], row["rule"], row["entity"]) == ("2026-11-22", "user_created", "id-of-eve")
    assert (row["user_principal_name"], row["ip_address"]) == ("mallory@contoso.example", "192.0.2.66")
    assert (row["event_count"], row["first_event_time"]) == ("2", "2026-11-22 10:00:00.000")
    assert json.loads(row["evidence_json"] or "") == [
        f"directory_audits:a-eve-{DAY}-10:00:00",
        f"directory_audits:a-eve-{DAY}-11:30:00",
    ]


def test_a_finding_is_one_over_all_runs(lake: Lake, days: VerifiedDays, running: Sandbox, tmp_path: Path) -> None:
    """What is found again keeps the moment it was found first; what is new is counted; what is gone stays."""
    write_rule(tmp_path / "own", "hits")
    lake = with_rules(lake, tmp_path / "own")
    days.put(AUDITS, DAY, [hit(1, DAY), hit(2, DAY)])
    assert examine(lake, [DAY]).new == 2
    first = {row["entity"]: row for row in findings(lake)}
    running.clock.advance(3600)
    days.put(AUDITS, DAY, [hit(2, DAY), hit(3, DAY)])
    assert examine(lake, [DAY]).new == 1
    now = {row["entity"]: row for row in findings(lake)}
    assert now.keys() == {"hit-1", "hit-2", "hit-3"}
    assert now["hit-1"] == first["hit-1"]
    assert now["hit-2"]["first_found_at"] == first["hit-2"]["first_found_at"]
    assert now["hit-2"]["last_found_at"] == now["hit-3"]["first_found_at"] != first["hit-2"]["last_found_at"]


def test_a_day_without_news_is_not_examined_again(lake: Lake, days: VerifiedDays, tmp_path: Path) -> None:
    """Nothing is asked twice; new records, another threshold and another rule are reasons to ask."""
    folder = tmp_path / "own"
    write_rule(folder, "hits")
    lake = with_rules(lake, folder)
    days.put(AUDITS, DAY, [hit(1, DAY)])
    assert examine(lake, [DAY]).ran == 1
    assert examine(lake, [DAY]).ran == 0
    days.put(AUDITS, DAY, [hit(1, DAY), hit(2, DAY)])
    assert examine(lake, [DAY]).ran == 1
    write_rule(folder, "hits", BODY + " AND id <> 'hit-1'")
    assert examine(lake, [DAY]).ran == 1
    with_another = with_rules(lake, folder, shipped=["user_created"])
    assert examine(with_another, [DAY]).ran == 1
    changed = with_rules(lake, folder, shipped=["user_created"], rules={"user_created": {"trusted_actors": ["hr"]}})
    assert examine(changed, [DAY]).ran == 1


def test_a_stream_that_is_not_verified_stops_only_its_own_rules(lake: Lake, days: VerifiedDays, tmp_path: Path) -> None:
    """Sign-ins failed: rules on audits speak; the others speak once the day's sign-ins are verified."""
    folder = tmp_path / "own"
    write_rule(folder, "hits")
    write_rule(folder, "both", BODY.replace("'Found '", "'Both '"), streams="directory_audits, sign_ins")
    lake = with_rules(lake, folder)
    days.put(AUDITS, DAY, [hit(1, DAY)])
    days.put(SIGN_INS, DAY, [], verified=False)
    examine(lake, [DAY])
    assert {row["rule"] for row in findings(lake)} == {"hits"}
    days.verify(SIGN_INS, DAY)
    examine(lake, [DAY])
    assert {row["rule"] for row in findings(lake)} == {"hits", "both"}


def test_an_object_that_was_loaded_and_not_verified_waits(lake: Lake, days: VerifiedDays, tmp_path: Path) -> None:
    """Rules speak of what manifests acknowledge."""
    write_rule(tmp_path / "own", "hits")
    lake = with_rules(lake, tmp_path / "own")
    days.put(AUDITS, DAY, [hit(1, DAY)])
    examine(lake, [DAY])
    days.put(AUDITS, DAY, [hit(1, DAY), hit(2, DAY)], verified=False)
    assert examine(lake, [DAY]).ran == 0
    days.verify(AUDITS, DAY)
    assert examine(lake, [DAY]).new == 1


def test_a_rule_waits_for_its_history(lake: Lake, days: VerifiedDays, tmp_path: Path) -> None:
    """A rule about what is new for a user says nothing before the lake knows what was usual."""
    write_rule(tmp_path / "own", "hits", needs_history=2)
    lake = with_rules(lake, tmp_path / "own")
    for age in (0, 1):
        days.put(AUDITS, DAY - timedelta(days=age), [hit(age, DAY - timedelta(days=age))])
    examine(lake, [DAY])
    assert findings(lake) == []
    days.put(AUDITS, DAY - timedelta(days=2), [])
    examine(lake, [DAY])
    assert [row["entity"] for row in findings(lake)] == ["hit-0"]


def test_news_of_the_day_before_is_followed(lake: Lake, days: VerifiedDays, tmp_path: Path) -> None:
    """A rule that reads over midnight runs again when the day before brought news."""
    write_rule(tmp_path / "own", "hits", look_back=1)
    lake = with_rules(lake, tmp_path / "own")
    days.put(AUDITS, BEFORE, [])
    days.put(AUDITS, DAY, [hit(1, DAY)])
    examine(lake, [DAY])
    days.put(AUDITS, BEFORE, [hit(0, BEFORE)])
    assert examine(lake, [DAY]).ran == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("SELECT nonsense FROM directory_audits WHERE dt = {{ day }}", "nonsense"),
        ("SELECT id AS entity FROM directory_audits WHERE dt = {{ day }}", "expected entity, first_event_time"),
        (BODY.replace("CAST(1 AS bigint)", "'many'"), "cannot be a finding"),
        (BODY.replace("json_format(CAST(ARRAY['directory_audits:' || id] AS json))", "'{}'"), "no list of texts"),
    ],
)
def test_a_broken_rule_stops_no_other_and_is_named(
    lake: Lake, days: VerifiedDays, tmp_path: Path, body: str, said: str
) -> None:
    """The others' findings are stored; the error names the rule, the day and the reason; it is not tried for ever."""
    folder = tmp_path / "own"
    write_rule(folder, "hits")
    write_rule(folder, "broken", body)
    lake = with_rules(lake, folder)
    days.put(AUDITS, DAY, [hit(1, DAY)])
    done = examine(lake, [DAY])
    error = done.error()
    assert isinstance(error, DetectionFailedError)
    for words in ("broken (2026-11-22)", said):
        assert words in error.message
    assert {row["rule"] for row in findings(lake)} == {"hits"}
    assert examination(lake, DAY)["rules"]["broken"]["code"] in {"EL213", "EL215"}
    again = examine(lake, [DAY])
    assert (again.ran, again.error(), again.is_clean) == (0, None, False), "it stands failed, and is not tried again"
    write_rule(folder, "broken")
    again = examine(lake, [DAY])
    assert (again.new, again.is_clean) == (1, True)


def test_what_cannot_be_read_is_named(lake: Lake, days: VerifiedDays, tmp_path: Path) -> None:
    """A file that is no rule, one under a shipped rule's name, and a misspelt setting: all others run."""
    folder = tmp_path / "own"
    write_rule(folder, "hits")
    write_rule(folder, "user_created")
    (folder / "no_rule.sql").write_text("SELECT 1")
    lake = with_rules(lake, folder, parameters={"brake_glass": []})
    days.put(AUDITS, DAY, [hit(1, DAY)])
    error = examine(lake, [DAY]).error()
    assert isinstance(error, DetectionFailedError)
    for said in ("no_rule.sql has no front matter", "user_created.sql: a rule that comes", "unknown brake_glass"):
        assert said in error.message
    again = examine(lake, [DAY])
    assert (again.error(), again.is_clean) == (None, False), "nothing was to be done"
    assert {row["rule"] for row in findings(lake)} == {"hits"}


def test_a_rule_that_finds_everything_finds_nothing(lake: Lake, days: VerifiedDays, tmp_path: Path) -> None:
    """A thousand findings on one day are a wrong threshold, and would bury all others."""
    write_rule(tmp_path / "own", "hits")
    days.put(AUDITS, DAY, [hit(number, DAY) for number in range(1001)])
    error = examine(with_rules(lake, tmp_path / "own"), [DAY]).error()
    assert "1001 findings on one day" in str(error)
    assert findings(lake) == []


def test_what_passes_is_an_error_that_is_tried_again() -> None:
    """Athena being busy is no rule's fault: the task runs again. Beside a broken rule it is not worth waiting for."""
    busy, broken = AthenaUnavailableError("busy"), DetectionFailedError("broken")
    passing = Examined(failed=[Failed(rule="a", day=DAY, error=busy), Failed(rule="a", day=BEFORE, error=busy)])
    assert isinstance(passing.error(), AthenaUnavailableError)
    assert "a (2026-11-21, 2026-11-22): busy" in str(passing.error())
    passing.failed.append(Failed(rule="b", day=DAY, error=broken))
    assert isinstance(passing.error(), DetectionFailedError)
    assert isinstance(Examined(troubles=["a file"]).error(), DetectionFailedError)


def test_two_runs_at_once_lose_nothing(lake: Lake, days: VerifiedDays, tmp_path: Path) -> None:
    """Another run stores the same rule's findings in between: both are kept."""
    write_rule(tmp_path / "own", "hits")
    lake = with_rules(lake, tmp_path / "own")
    days.put(AUDITS, DAY, [hit(1, DAY)])
    examine(lake, [DAY])
    days.put(AUDITS, DAY, [hit(2, DAY)])
    key, replace, raced = findings_key("hits", DAY), lake.store.replace, []

    def be_second(name: str, content: Any, etag: str | None) -> str | None:
        if name == key and not raced:
            raced.append(name)
            days.put(AUDITS, DAY, [hit(3, DAY)])
            examine(with_rules(lake, tmp_path / "own"), [DAY])
        return replace(name, content, etag)

    lake.store.replace = be_second  # type: ignore[method-assign]
    examine(lake, [DAY])
    assert {row["entity"] for row in findings(lake)} == {"hit-1", "hit-2", "hit-3"}
    assert len(examination(lake, DAY)["findings"]) == 3


def test_time_runs_out_between_days(lake: Lake, days: VerifiedDays, tmp_path: Path) -> None:
    """The newest day comes first; what is left is done by the next run."""
    write_rule(tmp_path / "own", "hits")
    lake = with_rules(lake, tmp_path / "own")
    for day in (BEFORE, DAY):
        days.put(AUDITS, day, [hit(day, day)])
    replace = lake.store.replace

    def take_a_second(name: str, content: Any, etag: str | None) -> str | None:
        lake.clock.sleep(1)
        return replace(name, content, etag)

    lake.store.replace = take_a_second  # type: ignore[method-assign]
    done = examine(lake, [BEFORE, DAY], longest_seconds=0)
    assert done.left
    assert [row["dt"] for row in findings(lake)] == ["2026-11-22"]
    assert not examine(lake, [BEFORE, DAY]).left
    assert [row["dt"] for row in findings(lake)] == ["2026-11-21", "2026-11-22"]


def test_a_run_looks_back_two_months_at_most(lake: Lake) -> None:
    """Where Microsoft keeps 30 days, at all of them and today; where it keeps two years, at what a run can afford."""
    today = lake.clock.now().date()
    days = recent_days(lake)
    assert (days[0], days[-1]) == (today, today - timedelta(days=31))
    long = replace(lake, settings=replace(lake.settings, retention_days=730))
    assert len(recent_days(long)) == 63


def test_a_rule_can_be_tried(  # noqa: PLR0917 - fixtures
    lake: Lake,
    days: VerifiedDays,
    running: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`detect FILE` shows hits, examples and bytes; nothing is stored, nobody is mailed, the terminal is safe."""
    days.put(AUDITS, DAY, [hit("\u001b[31m\u202eevil", DAY)])
    days.put(AUDITS, BEFORE, [])
    for name, value in environment(running.state.folder).items():
        monkeypatch.setenv(name, value)
    path = write_rule(tmp_path / "own", "hits")
    assert main(["detect", str(path), "--days", "3"]) == 0
    told = capsys.readouterr().out
    assert "hits (high): 1 findings on 1 of 2 days, 2026-11-20 to 2026-11-22;" in told
    assert "Left out: 1 days; the first: directory_audits 2026-11-20 is not verified." in told
    assert "\u001b" not in told
    assert "\u202e" not in told
    assert "0 B scanned" not in told
    assert main(["detect", "user_created", "--days", "2"]) == 0
    assert main(["detect", "nobody"]) == 1
    assert "There is no rule 'nobody'" in capsys.readouterr().err
    assert findings(lake) == []
    assert not list(lake.store.list("examinations/"))
    assert running.mailbox.all() == []
