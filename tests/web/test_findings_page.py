"""The page Findings: list, evidence, mute, CSV; and words of attackers in all of them."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from time import monotonic, sleep

import pytest
import requests
from running_ui import WebUi

from entra_lake.connections import read_connection
from entra_lake.examinations import Noted, Ran, change_examination
from entra_lake.findings import Finding, to_parquet
from entra_lake.findings_table import register_findings
from entra_lake.lake import Lake, open_lake
from entra_lake.layout import findings_key
from entra_lake.settings import read_lake
from sandbox.environment import environment

EVIL = "<img src=x onerror=alert(1)>'; DROP TABLE findings; -- \u202egpj.exe"
FORMULA = '=HYPERLINK("https://evil.example")'


@dataclass(frozen=True)
class Planted:
    """A finding whose every text an attacker has chosen."""

    lake: Lake
    day: date
    key: str

    @property
    def address(self) -> dict[str, str]:
        """Return what names it in addresses."""
        return {"day": str(self.day), "key": self.key}


def examined_day() -> date:
    """Return the filled day that `make up` has let detections look at."""
    return (datetime.now(UTC) - timedelta(days=2)).date()


@pytest.fixture(scope="module")
def planted(web_ui: WebUi, admin: requests.Session) -> Planted:
    """Put a finding into the lake as a run of the rules would, and see it arrive: pages may be some seconds behind."""
    variables = environment(web_ui.cloud_folder)
    lake = open_lake(read_lake(), get_connection=lambda name: read_connection(name, variables))
    day, now = examined_day(), datetime.now(UTC).replace(microsecond=0)
    finding = Finding(
        rule="hostile", title="Hostile words", severity="high", attack=("T1078.004",), entity_type="user", entity=EVIL,
        first_event_time=now - timedelta(days=2), last_event_time=now - timedelta(days=2), event_count=1, user_id=EVIL,
        user_principal_name=EVIL, ip_address=FORMULA, summary=EVIL, evidence=(f"sign_ins:{EVIL}",), tenant_id="t",
        first_found_at=now, last_found_at=now,
    )  # fmt: skip
    lake.store.replace(findings_key("hostile", day), to_parquet([finding]), None)
    register_findings(lake, day)
    key = finding.key(day)
    ran, noted = Ran(at=f"{now:%Y-%m-%dT%H:%M:%SZ}", inputs="x", found=1), Noted(rule="hostile", at=now.isoformat())
    change_examination(lake.store, day, lambda old: old.with_rules({"hostile": ran}, {key: noted}))
    began, span = monotonic(), {"first": str(day), "last": str(day)}
    while "hostile" not in admin.get(f"{web_ui.url}/entra-lake/findings.csv", params=span, timeout=60).text:
        assert monotonic() - began < 60, "the finding does not arrive"
        sleep(0.2)
    return Planted(lake, day, key)


def test_findings_of_the_filled_days_are_listed(web_ui: WebUi, admin: requests.Session) -> None:
    """`make up` has let detections look at the lake: the nights of spraying are there, with a link to each."""
    span = {"first": str(examined_day()), "last": str(examined_day()), "rule": "password_spray"}
    page = admin.get(f"{web_ui.url}/entra-lake/findings", params=span, timeout=60).text
    assert "Password spray" in page
    assert "FROM &#34;entra_lake&#34;.findings" in page
    link = re.search(r"/entra-lake/(finding\?[^\"]+)", page)
    assert link
    finding = admin.get(f"{web_ui.url}/entra-lake/{link[1].replace('&amp;', '&')}", timeout=60).text
    for said in ("The records behind it", "Why it matters", "What you do", "in the baseline", "Show the rule"):
        assert said in finding
    assert finding.count("<tr>") > 2, "records are shown"


def test_the_mail_leads_to_the_page(web_ui: WebUi, admin: requests.Session) -> None:
    """The baseline mail of `make up` links to findings, users and addresses, and each link works."""
    mails = requests.get(f"{web_ui.cloud['mail_url']}/mails", timeout=30).json()
    (baseline,) = [mail for mail in mails if "BASELINE" in mail["subject"]]
    links = set(re.findall(r"https?://[^\s\"]+/entra-lake/[^\s\"]+", baseline["text"]))
    assert any("/finding?" in link for link in links)
    for link in links:
        assert admin.get(link, timeout=60).status_code == 200, link


def test_choices_narrow_the_list(web_ui: WebUi, admin: requests.Session, planted: Planted) -> None:
    """By severity, by rule and by days; what does not exist is refused."""
    span = {"first": str(planted.day), "last": str(planted.day)}

    def rows(**choices: str) -> list[dict[str, str]]:
        answer = admin.get(f"{web_ui.url}/entra-lake/findings.csv", params={**span, **choices}, timeout=60)
        answer.raise_for_status()
        return list(csv.DictReader(io.StringIO(answer.text)))

    assert {row["rule"] for row in rows()} > {"hostile"}
    assert {row["severity"] for row in rows(severity="high")} == {"high"}
    assert {row["rule"] for row in rows(rule="hostile")} == {"hostile"}
    assert rows(rule="nobody") == []
    for wrong in ({"severity": "urgent"}, {"muted": "perhaps"}):
        assert admin.get(f"{web_ui.url}/entra-lake/findings", params=wrong, timeout=30).status_code == 400


@pytest.mark.parametrize("path", ["findings", "finding", "day", "user", "overview"])
def test_words_of_attackers_do_nothing(web_ui: WebUi, admin: requests.Session, planted: Planted, path: str) -> None:
    """Markup stays text, SQL stays a literal, and what turns a name around is shown as what it is."""
    span = {"first": str(planted.day), "last": str(planted.day), "user": EVIL}
    params = planted.address if path in {"finding", "day"} else span
    answer = admin.get(f"{web_ui.url}/entra-lake/{path}", params=params, timeout=60)
    assert answer.status_code == 200
    assert "<img" not in answer.text
    assert "\u202e" not in answer.text
    assert "Hostile words" in answer.text
    assert planted.lake.athena.run("SELECT count(*) AS n FROM findings").rows


def test_a_spreadsheet_runs_nothing(web_ui: WebUi, admin: requests.Session, planted: Planted) -> None:
    """A cell that begins like a formula begins with an apostrophe."""
    span = {"first": str(planted.day), "last": str(planted.day), "rule": "hostile"}
    text = admin.get(f"{web_ui.url}/entra-lake/findings.csv", params=span, timeout=60).text
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["ip_address"] == f"'{FORMULA}"
    assert row["summary"] == EVIL


def test_a_finding_is_muted_and_heard_again(web_ui: WebUi, admin: requests.Session, planted: Planted) -> None:
    """The mute names who and why; the list leaves the finding out and counts it; it can be taken back."""
    own = {"Origin": web_ui.url, "Sec-Fetch-Site": "same-origin"}
    pages = f"{web_ui.url}/entra-lake"
    span = {"first": str(planted.day), "last": str(planted.day)}
    form = {"why": "known <b>noise</b>", "until": str(datetime.now(UTC).date())}
    answer = admin.post(f"{pages}/finding/mute", params=planted.address, data=form, headers=own, timeout=60)
    assert "Muted by admin" in answer.text
    assert "known &lt;b&gt;noise&lt;/b&gt;" in answer.text
    listed = admin.get(f"{pages}/findings", params=span, timeout=60).text
    assert "Hostile words</a>" not in listed
    assert "1 are not shown" in listed
    assert "Hostile words</a>" in admin.get(f"{pages}/findings", params={**span, "muted": "only"}, timeout=60).text
    admin.post(f"{pages}/finding/unmute", params=planted.address, headers=own, timeout=60).raise_for_status()
    assert "Hostile words</a>" in admin.get(f"{pages}/findings", params=span, timeout=60).text
    past = {"why": "x", "until": "2020-01-01"}
    refused = admin.post(f"{pages}/finding/mute", params=planted.address, data=past, headers=own, timeout=60)
    assert refused.status_code == 400


@pytest.mark.parametrize("action", ["mute", "unmute"])
def test_only_who_may_start_runs_mutes(web_ui: WebUi, admin: requests.Session, planted: Planted, action: str) -> None:
    """A viewer may not, and no other site's page may in an administrator's name."""
    own = {"Origin": web_ui.url, "Sec-Fetch-Site": "same-origin"}
    other = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    for session, headers in ((web_ui.session("viewer"), own), (admin, other), (admin, {})):
        answer = session.post(
            f"{web_ui.url}/entra-lake/finding/{action}", params=planted.address, data={"why": "x"}, headers=headers,
            timeout=30,
        )  # fmt: skip
        assert answer.status_code == 403
    assert "may mute findings" in web_ui.session("viewer").get(
        f"{web_ui.url}/entra-lake/finding", params=planted.address, timeout=60
    ).text  # fmt: skip


def test_a_finding_that_is_not_there_is_not_found(web_ui: WebUi, admin: requests.Session, planted: Planted) -> None:
    """An erased finding's link says so; a day that is none does, too."""
    for day, key in ((str(planted.day), "0" * 16), ("2020-01-01", planted.key), ("never", planted.key)):
        answer = admin.get(f"{web_ui.url}/entra-lake/finding", params={"day": day, "key": key}, timeout=30)
        assert answer.status_code == 404
