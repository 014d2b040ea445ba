"""The mail server keeps what arrives and shows it without trusting it."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
import requests

from sandbox.serve import Sandbox


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path, with_aws=False) as cloud:
        yield cloud


def send(cloud: Sandbox, subject: str = "sign_ins 2026-11-22 is red") -> None:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = subject, "lake@winter-gardens.example", "ops@winter-gardens.example"
    mail["Message-ID"], mail["X-Entra-Lake-Run"] = "<1@winter-gardens.example>", "run <1>"
    mail.set_content("Grüße, 3 records are missing")
    mail.add_alternative(
        "<p onclick=alert(1)>3 records are <b>missing</b></p><script>alert(1)</script>", subtype="html"
    )
    with smtplib.SMTP(cloud.settings["smtp_host"], cloud.settings["smtp_port"], timeout=5) as smtp:
        smtp.send_message(mail)


def mails(cloud: Sandbox) -> list[dict]:
    return requests.get(cloud.settings["mail_url"] + "/mails", timeout=5).json()


def test_a_mail_arrives_with_all_its_parts(cloud: Sandbox) -> None:
    """Subject, addresses, headers, text and HTML can be read as JSON."""
    send(cloud)
    [mail] = mails(cloud)
    assert mail["subject"] == "sign_ins 2026-11-22 is red"
    assert (mail["from"], mail["to"]) == ("lake@winter-gardens.example", "ops@winter-gardens.example")
    assert mail["message_id"] == "<1@winter-gardens.example>"
    assert ["X-Entra-Lake-Run", "run <1>"] in mail["headers"]
    assert mail["text"].strip() == "Grüße, 3 records are missing"
    assert "<b>missing</b>" in mail["html"]


def test_the_page_shows_mails_without_running_them(cloud: Sandbox) -> None:
    """Subjects are escaped, HTML is locked in a frame without scripts, the source is plain text."""
    send(cloud, "<script>alert('subject')</script>")
    url = cloud.settings["mail_url"]
    listing = requests.get(url, timeout=5)
    mail_id = mails(cloud)[0]["id"]
    page = requests.get(f"{url}/mail/{mail_id}", timeout=5)
    for answer in (listing, page):
        assert "SIMULATED" in answer.text
        assert "<script" not in answer.text
        assert (
            "script-src" in answer.headers["Content-Security-Policy"]
            or "default-src 'none'" in answer.headers["Content-Security-Policy"]
        )
    assert '<iframe sandbox=""' in page.text
    framed = requests.get(f"{url}/mail/{mail_id}/html", timeout=5)
    assert framed.headers["Content-Security-Policy"].startswith("sandbox;")
    source = requests.get(f"{url}/mail/{mail_id}/raw", timeout=5)
    assert source.headers["Content-Type"].startswith("text/plain")
    assert "Message-ID: <1@winter-gardens.example>" in source.text


def test_only_addresses_of_this_machine_are_links(cloud: Sandbox) -> None:
    """A mail's links into the web UI can be followed; what an attacker wrote into a name cannot."""
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = "links", "a@example.com", "b@example.com"
    own = "http://127.0.0.1:8080/entra-lake/finding?lake=default&day=2026-11-22&key=0a"
    mail.set_content(f"See {own}\nSee https://evil.example/x and http://127.0.0.1.evil.example/x")
    with smtplib.SMTP(cloud.settings["smtp_host"], cloud.settings["smtp_port"], timeout=5) as smtp:
        smtp.send_message(mail)
    url = cloud.settings["mail_url"]
    page = requests.get(f"{url}/mail/{mails(cloud)[0]['id']}", timeout=5).text
    assert f'<a href="{own}">'.replace("&", "&amp;") in page
    assert 'href="https://evil' not in page
    assert 'href="http://127.0.0.1.evil' not in page


def test_mails_survive_a_restart_and_can_be_thrown_away(cloud: Sandbox, tmp_path: Path) -> None:
    """The folder keeps them; DELETE empties it."""
    send(cloud)
    cloud.stop()
    with Sandbox(tmp_path, with_aws=False) as again:
        assert len(mails(again)) == 1
        assert requests.delete(again.settings["mail_url"] + "/mails", timeout=5).json() == []
        assert mails(again) == []


def test_a_refusing_server_says_so(cloud: Sandbox) -> None:
    """Reject answers the mail with that number, and keeps nothing."""
    cloud.mail_server.faults.configure({"reject": 451})
    with pytest.raises(smtplib.SMTPDataError) as refusal:
        send(cloud)
    assert refusal.value.smtp_code == 451
    cloud.mail_server.faults.clear()
    send(cloud)
    assert len(mails(cloud)) == 1


def test_a_server_that_is_down_or_slow(cloud: Sandbox) -> None:
    """Down resets connections; slow outlasts the client's patience, and stopping does not wait for it."""
    cloud.mail_server.faults.configure({"down": True})
    with pytest.raises((smtplib.SMTPServerDisconnected, OSError)):
        send(cloud)
    cloud.mail_server.faults.configure({"down": False, "slow_seconds": 60})
    with (
        smtplib.SMTP(cloud.settings["smtp_host"], cloud.settings["smtp_port"], timeout=0.2) as smtp,
        pytest.raises(OSError),
    ):
        smtp.sendmail("a@winter-gardens.example", ["b@winter-gardens.example"], "Subject: x\r\n\r\nx")


def test_unknown_settings_are_refused(cloud: Sandbox) -> None:
    """A misspelt fault is an error, not a test that passes for nothing."""
    with pytest.raises(ValueError, match="knows no rejct"):
        cloud.mail_server.faults.configure({"rejct": 550})
