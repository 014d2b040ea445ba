"""Mails about findings: one digest of what is news, one baseline of what a fill brings, and nobody's words do harm."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from entra_lake.connections import read_connection
from entra_lake.digest import FIRST_PATIENCE, PATIENCE, QUIET, Told, tell
from entra_lake.digest_letter import plain_line
from entra_lake.examine import examine
from entra_lake.findings import Finding
from entra_lake.lake import Lake
from entra_lake.layout import findings_key
from entra_lake.mutes import mute, read_mutes, unmute
from entra_lake.settings import MailSettings
from entra_lake.tables import prepare
from entra_lake.turn import LEASE, turn
from entra_lake.upkeep_commands import _detect
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

#: The lake begins five days ago, so that a fill is five days.
DAYS = [NOW.date() - timedelta(days=age) for age in range(5, 0, -1)]
YESTERDAY, OLD = DAYS[-1], DAYS[0]
AN_HOUR = timedelta(hours=1)
BASE_URL = "https://airflow.example"


@pytest.fixture(scope="module", name="running")
def start_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Start one cloud for all tests."""
    folder = tmp_path_factory.mktemp("digest") / "cloud"
    with Sandbox(folder, seed=7, now=NOW, frozen=True, sign_ins_per_day=10, throttled=False) as running:
        yield running


@pytest.fixture(scope="module", name="prepared")
def prepare_lake(running: Sandbox) -> VerifiedDays:
    """Prepare one lake for all tests."""
    lake = make_lake(running, mail=MailSettings(to=("security@example.com",)), retention_days=5, reread_ages=(2, 4))
    prepare(lake)
    return VerifiedDays(lake)


@pytest.fixture
def lake(prepared: VerifiedDays, running: Sandbox, tmp_path: Path) -> Lake:
    """Return the lake, with one rule that finds audits whose id begins with `hit`."""
    running.clock.set(NOW)
    running.mailbox.clear()
    prepared.empty()
    write_rule(tmp_path / "own", "hits")
    return with_rules(prepared.lake, tmp_path / "own")


@pytest.fixture
def days(lake: Lake, prepared: VerifiedDays) -> VerifiedDays:
    """Return what fills the lake with verified days."""
    return prepared


Run = Callable[..., Told]


@pytest.fixture
def run(running: Sandbox) -> Run:
    """Return what a run of a DAG does after its streams are verified."""
    variables = environment(running.state.folder)

    def run(lake: Lake, *wanted: date, settle: bool = False) -> Told:
        examine(lake, wanted)
        return tell(lake, lambda name: read_connection(name, variables), base_url=BASE_URL, settle=settle)

    return run


@pytest.fixture
def mails(running: Sandbox) -> Callable[[], list[dict[str, Any]]]:
    """Return all mails so far."""
    return running.mailbox.all


def fill(days: VerifiedDays, *, hits: bool = True) -> None:
    """Verify all days of both streams, each with something to find."""
    for day in DAYS:
        days.put(SIGN_INS, day, [])
        days.put(AUDITS, day, [hit(day, day)] if hits else [])


def test_filling_five_days_is_one_mail(lake: Lake, days: VerifiedDays, run: Run, mails: Any) -> None:
    """One run per day, as a backfill starts them: the last one mails, once, what all of them have found."""
    for day in DAYS:
        days.put(SIGN_INS, day, [])
        days.put(AUDITS, day, [hit(day, day)])
        run(lake, day)
    (mail,) = mails()
    assert mail["subject"] == "[entra-lake] BASELINE 5 findings · 5 high · 2026-11-18 to 2026-11-22"
    for said in ("The rule hits: 5 (2026-11-18 to 2026-11-22)", "Found hit-2026-11-22", "only mail about them"):
        assert said in mail["text"]
    run(lake, *DAYS)
    assert len(mails()) == 1


def test_filling_many_days_in_one_run_is_one_mail(lake: Lake, days: VerifiedDays, run: Run, mails: Any) -> None:
    """One run with all days: as the hourly DAG maps them."""
    fill(days)
    told = run(lake, *DAYS)
    assert (told.baseline, told.news, told.waiting) == (5, 0, 0)
    assert len(mails()) == 1


def test_news_is_mailed_at_once_and_once(lake: Lake, days: VerifiedDays, run: Run, mails: Any) -> None:
    """After the baseline, yesterday's findings are a digest; the next run has nothing to say."""
    fill(days, hits=False)
    assert run(lake, *DAYS) == Told()
    days.put(AUDITS, YESTERDAY, [hit("new", YESTERDAY)])
    assert run(lake, YESTERDAY).news == 1
    (mail,) = mails()
    assert mail["subject"] == "[entra-lake] HIGH The rule hits: user hit-new · 2026-11-22"
    for said in ("Why it matters: It matters.", "Found hit-new", "2026-11-22 09:00 UTC · 1 event", "1. Look at it."):
        assert said in mail["text"]
    (link,) = set(re.findall(r"https://\S+/finding\?\S+", mail["text"]))
    assert link.startswith(f"{BASE_URL}/entra-lake/finding?lake=default&day=2026-11-22&key=")
    assert run(lake, YESTERDAY) == Told()
    assert len(mails()) == 1


def test_a_new_rule_has_a_baseline_of_its_own(  # noqa: PLR0917 - fixtures
    lake: Lake, days: VerifiedDays, run: Run, mails: Any, tmp_path: Path, running: Sandbox
) -> None:
    """Five days' worth of a rule that was dropped into the folder: one mail, though yesterday is among them."""
    fill(days)
    run(lake, *DAYS)
    write_rule(tmp_path / "own", "another", BODY.replace("'Found '", "'Another '"))
    assert run(lake, *DAYS).waiting == 5
    running.clock.advance(QUIET.total_seconds())
    assert run(lake).baseline == 5
    assert [mail["subject"].split(" ")[1] for mail in mails()] == ["BASELINE", "BASELINE"]
    days.put(AUDITS, YESTERDAY, [hit("new", YESTERDAY)])
    assert run(lake, YESTERDAY).news == 2


def test_a_rereading_of_old_days_is_one_mail(
    lake: Lake, days: VerifiedDays, run: Run, mails: Any, running: Sandbox
) -> None:
    """Late records on several old days, read by several runs: they wait for a quiet hour."""
    fill(days, hits=False)
    run(lake, *DAYS)
    for day in DAYS[:3]:
        days.put(AUDITS, day, [hit(day, day)])
        assert run(lake, day).baseline == 0
    assert mails() == []
    running.clock.advance(QUIET.total_seconds())
    assert run(lake).baseline == 3
    assert len(mails()) == 1


def test_a_day_that_cannot_be_filled_does_not_hold_everything_back(
    lake: Lake, days: VerifiedDays, run: Run, mails: Any, running: Sandbox
) -> None:
    """A new lake waits a day for its fill, one that had its baseline six hours; news does not wait at all."""
    for day in DAYS[1:]:
        days.put(AUDITS, day, [hit(day, day)])
    assert run(lake, *DAYS).waiting == 4
    running.clock.set(NOW + FIRST_PATIENCE + AN_HOUR)
    assert run(lake).baseline == 4
    today = NOW.date()
    days.put(AUDITS, today, [hit("new", today)])
    days.put(AUDITS, DAYS[1], [hit("late", DAYS[1])])
    told = run(lake, today, DAYS[1])
    assert (told.news, told.waiting) == (1, 1)
    running.clock.set(NOW + FIRST_PATIENCE + PATIENCE + 2 * AN_HOUR)
    assert run(lake).baseline == 1
    assert len(mails()) == 3


def test_whoever_asked_for_days_is_told_when_they_are_there(
    lake: Lake, days: VerifiedDays, run: Run, mails: Any
) -> None:
    """`settle` ends a fill, whatever else is missing or was not examined; from then on what is new is news."""
    days.put(AUDITS, OLD, [hit(1, OLD)])
    days.put(AUDITS, DAYS[1], [])
    assert run(lake, OLD).waiting == 1
    assert run(lake, settle=True).baseline == 1
    assert len(mails()) == 1
    days.put(AUDITS, YESTERDAY, [hit(2, YESTERDAY)])
    assert run(lake, YESTERDAY).news == 1


def test_a_mail_that_cannot_be_sent_is_sent_by_the_next_run(
    lake: Lake, days: VerifiedDays, run: Run, mails: Any
) -> None:
    """Nothing is noted as told before somebody was."""
    fill(days)
    unsent = replace(lake, settings=replace(lake.settings, mail=replace(lake.settings.mail, smtp_conn_id="nobody")))
    told = run(unsent, *DAYS)
    assert (told.is_sent, told.baseline) == (False, 0)
    assert run(lake).baseline == 5
    assert len(mails()) == 1


def test_what_is_muted_is_found_and_not_mailed(lake: Lake, days: VerifiedDays, run: Run, mails: Any) -> None:
    """By rule and entity; the finding is kept. When the mute is taken back, what is new is mailed again."""
    fill(days, hits=False)
    run(lake, *DAYS)
    mute(lake.store, "hits", "hit-noise", by="anna", now=NOW, why="known", until=NOW.date())
    days.put(AUDITS, YESTERDAY, [hit("noise", YESTERDAY), hit("other", YESTERDAY)])
    told = run(lake, YESTERDAY)
    assert (told.news, told.muted) == (1, 1)
    (mail,) = mails()
    assert "hit-noise" not in mail["text"]
    assert {item["how"] for item in examination(lake, YESTERDAY)["findings"].values()} == {"digest", "muted"}
    unmute(lake.store, "hits", "hit-noise")
    unmute(lake.store, "hits", "nobody")
    assert read_mutes(lake.store).all == ()


def test_a_mute_ends_and_is_replaced(lake: Lake) -> None:
    """It names who muted and why; its last day counts; a new one takes the place of the old."""
    item = Finding(
        rule="r", title="", severity="low", attack=(), entity_type="user", entity="e", first_event_time=None,
        last_event_time=None, event_count=1, user_id=None, user_principal_name=None, ip_address=None, summary="",
        evidence=(), tenant_id="t", first_found_at=NOW, last_found_at=NOW,
    )  # fmt: skip
    mute(lake.store, "r", "e", by="anna", now=NOW, why="a")
    mute(lake.store, "r", "e", by="ben", now=NOW, why="b", until=NOW.date())
    (held,) = read_mutes(lake.store).all
    assert (held.by, held.why, held.at, held.until) == ("ben", "b", "2026-11-23T07:00:00Z", "2026-11-23")
    assert read_mutes(lake.store).of(item, NOW) == held
    assert read_mutes(lake.store).of(item, NOW + timedelta(days=1)) is None
    assert read_mutes(lake.store).of(replace(item, entity="other"), NOW) is None
    with pytest.raises(Exception, match="has ended before it begins"):
        mute(lake.store, "r", "e", by="anna", now=NOW, until=NOW.date() - timedelta(days=1))


def test_runs_mail_one_after_the_other(lake: Lake, days: VerifiedDays, run: Run, mails: Any) -> None:
    """A run waits for another's turn; one that was killed in its turn loses it, and what it did not say is said."""
    fill(days)
    examine(lake, DAYS)
    held = turn(lake.store, lake.clock)
    held.__enter__()  # and killed
    began = lake.clock.now()
    with pytest.raises(Exception, match="another run has been mailing"):
        run(lake)
    assert lake.clock.now() - began < LEASE
    lake.clock.sleep(LEASE.total_seconds())
    assert run(lake).baseline == 5
    assert len(mails()) == 1


def test_what_was_erased_is_not_told(lake: Lake, days: VerifiedDays, run: Run, mails: Any) -> None:
    """Findings that are gone from the lake when the mail is due are passed over."""
    fill(days)
    examine(lake, DAYS)
    s3 = lake.aws.client("s3")
    for day in DAYS:
        s3.delete_object(Bucket=lake.settings.bucket, Key=findings_key("hits", day))
    assert run(lake).baseline == 0
    assert mails() == []


EVIL = [
    "<img src=x onerror=alert(1)>",
    "'; DROP TABLE findings; -- \"",
    "\u202egpj.exe",
    "a\r\nBcc: everybody@example.com",
    "line\n\nWHAT YOU DO\n1. Visit",
    "https://evil.example/login www.evil.example",
    "{{ 7 * 7 }} ${7*7}",
]


@pytest.mark.parametrize("how", ["news", "baseline"])
def test_words_of_attackers_do_nothing(lake: Lake, days: VerifiedDays, run: Run, mails: Any, how: str) -> None:
    """Names and addresses are shown, and are no markup, no header, no line, no link and no query."""
    lake = with_rules(lake, shipped=["user_created"])
    fill(days, hits=False)
    if how == "news":
        run(lake, *DAYS)
    records = [
        created_user(f"{text}{number}", YESTERDAY, f"10:0{number}:00", userPrincipalName=text, ipAddress=text)
        for number, text in enumerate(EVIL)
    ]
    days.put(AUDITS, YESTERDAY, records)
    told = run(lake, *DAYS)
    assert told.news + told.baseline == len(EVIL)
    (mail,) = mails()
    assert "\n" not in mail["subject"].strip()
    for part in (mail["text"], mail["html"], mail["subject"]):
        assert "\u202e" not in part
        assert "https://evil" not in part
    assert "<img" not in mail["html"]
    assert "&lt;img src=x onerror=alert(1)&gt;" in mail["html"]
    assert "<img src=x onerror=alert(1)>" in mail["text"]
    assert "everybody@example.com" not in f"{mail['to']} {mail['subject']}"
    assert mail["text"].count("\nWHAT YOU DO\n") == 1
    assert "{{ 7 * 7 }} ${7*7}" in mail["text"]
    assert lake.athena.run("SELECT count(*) AS n FROM findings").rows[0]["n"] == str(len(EVIL))


def test_without_airflow_reconcile_detects(  # noqa: PLR0917 - fixtures
    lake: Lake, days: VerifiedDays, running: Sandbox, mails: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`reconcile --detect` runs the rules that are owed and mails; a rule that is broken makes it fail."""
    for name, value in environment(running.state.folder).items():
        monkeypatch.setenv(name, value)
    fill(days)
    assert _detect(lake)
    assert "BASELINE 5 findings" in mails()[0]["subject"]
    write_rule(tmp_path / "own", "broken", "SELECT nonsense FROM directory_audits WHERE dt = {{ day }}")
    assert not _detect(lake)


def test_a_digest_keeps_its_length(lake: Lake, days: VerifiedDays, run: Run, mails: Any) -> None:
    """A storm is one mail that names the first ones and counts the rest."""
    fill(days, hits=False)
    run(lake, *DAYS)
    days.put(AUDITS, YESTERDAY, [hit(f"{number:03}", YESTERDAY) for number in range(200)])
    run(lake, YESTERDAY)
    (mail,) = mails()
    assert "and 199 others" in mail["subject"]
    assert "… and 192 more of this rule." in mail["text"]
    assert len(mail["html"]) < 20_000


def test_one_line_of_plain_text() -> None:
    """What a mail shows of a log is one line without hidden characters."""
    assert plain_line("a\u202eb\u200bc\n\td\x00") == "a b c d"
    assert plain_line(None) == ""
    assert plain_line("x" * 400) == "x" * 299 + "…"
