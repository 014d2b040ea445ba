"""docs/tour.md, followed: behind `make up` a newcomer sees who hacked the account, in the mails and on the pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import requests
from running_ui import WebUi

TOUR = (Path(__file__).parents[2] / "docs" / "tour.md").read_text(encoding="utf-8")
#: What the second mail must say of the story: a shorter list than what rules find.
STORY = ("mfa_fatigue", "privileged_role_assigned", "application_credential_added", "consent_to_application")
_LONGEST_SECONDS = 300.0


def mails(web_ui: WebUi) -> list[dict[str, Any]]:
    """Return all mails."""
    found: list[dict[str, Any]] = requests.get(f"{web_ui.cloud['mail_url']}/mails", timeout=30).json()
    return found


@pytest.fixture(scope="module")
def digest(web_ui: WebUi, admin: requests.Session) -> dict[str, Any]:
    """Take yesterday, as step 3 says, and return the mail about it."""
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date()
    api = f"{web_ui.url}/api/v2/dags/entra_logs"
    token = {"Authorization": f"Bearer {admin.cookies['_token']}"}
    requests.patch(api, json={"is_paused": False}, headers=token, timeout=30).raise_for_status()
    body = {"logical_date": None, "conf": {"day": str(yesterday)}}
    requests.post(f"{api}/dagRuns", json=body, headers=token, timeout=30).raise_for_status()
    began = monotonic()
    while monotonic() - began < _LONGEST_SECONDS:
        news = [
            mail for mail in mails(web_ui) if str(yesterday) in mail["subject"] and "BASELINE" not in mail["subject"]
        ]
        if news:
            return news[0]
        sleep(1)  # a run under a real scheduler takes its time
    pytest.fail(f"no mail about yesterday: {[mail['subject'] for mail in mails(web_ui)]}")


def test_the_first_mail_is_one_baseline(web_ui: WebUi) -> None:
    """Step 2: however many days were filled."""
    (mail,) = [mail for mail in mails(web_ui) if "BASELINE" in mail["subject"]]
    assert "Password spray" in mail["text"]
    assert "password spray" in TOUR


def test_the_second_mail_tells_the_story(web_ui: WebUi, admin: requests.Session, digest: dict[str, Any]) -> None:
    """Step 4: the intruder's steps are findings of yesterday, the most urgent first."""
    assert digest["subject"].startswith("[entra-lake] HIGH ")
    assert digest["subject"].endswith("SIMULATED")
    yesterday = str((datetime.now(UTC) - timedelta(days=1)).date())
    csv = admin.get(f"{web_ui.url}/entra-lake/findings.csv", params={"first": yesterday, "last": yesterday}, timeout=60)
    assert {name for name in STORY if name in csv.text} == set(STORY)


def test_the_intruder_can_be_followed(web_ui: WebUi, admin: requests.Session, digest: dict[str, Any]) -> None:
    """Step 5: mail, finding, evidence, user, address; each leads to the next."""
    pages = [admin.get(link, timeout=60) for link in re.findall(r"https?://\S+/finding\?\S+", digest["text"])]
    assert all(page.status_code == 200 for page in pages)
    (fatigue,) = [page.text for page in pages if "<code>mfa_fatigue</code>" in page.text]
    assert fatigue.count("500121") + fatigue.count("denied") + fatigue.count("failure") > 5
    user = re.search(r"/entra-lake/(user\?[^\"]+)", fatigue)
    address = re.search(r"/entra-lake/(address\?[^\"]+)", fatigue)
    assert user
    assert address
    for link in (user[1], address[1]):
        page = admin.get(f"{web_ui.url}/entra-lake/{link.replace('&amp;', '&')}", timeout=60)
        assert "Timeline, newest first" in page.text
        assert "Findings" in page.text
