"""Mails: what they hold, what they can never hold, and how they travel."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from entra_lake.connections import Connection
from entra_lake.errors import ConfigurationError, ConsentMissingError, CredentialError, ThrottledError
from entra_lake.failures import Failure, describe, log_url, safety
from entra_lake.mail import address, header_text, send, sender_of, write_letter
from sandbox.mail import Mailbox, MailServer

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
EVIL = "<img src=x onerror=alert(1)>\r\nBcc: everybody@example.com\u202e"


def failure(error: BaseException | None = None, **facts: Any) -> Failure:
    """Return a failure of sign_ins.extract on 2026-11-22."""
    known = {"dag_id": "entra_logs", "run_id": "manual__1", "lake": "default", "task_id": "sign_ins.extract"}
    return Failure(**{**known, "stream": "sign_ins", "day": date(2026, 11, 22), "cause": describe(error), **facts})


def failed_letter(what: Failure, **facts: Any) -> Any:
    """Return the mail about a failure."""
    values = {
        "failure": what,
        "days": ("2026-11-22",),
        "affected": "sign_ins of 2026-11-22.",
        "urgency": "soon",
        "next": "nothing",
        "todo": ["Look."],
        "log_url": "http://airflow.example/log",
        "run_url": "http://airflow.example/run",
        "coverage_url": "http://airflow.example/entra-lake/coverage?lake=default",
        "host": "worker-1",
        "version": "0.1.0",
        "is_simulated": False,
    }
    return write_letter("failed", f"FAILED {what.cause.words}", {**values, **facts}, thread="t", occasion="o")


@pytest.fixture(name="server")
def mail_server(tmp_path: Path) -> Iterator[MailServer]:
    """Run a mail server that keeps what it gets."""
    server = MailServer(Mailbox(tmp_path / "mails"), "127.0.0.1", 0)
    server.start()
    yield server
    server.stop()


def connection(server: MailServer, **extra: Any) -> Connection:
    """Return the connection to that server."""
    known = {"from_email": "lake@example.com", "disable_ssl": True, "disable_tls": True, "timeout": 5}
    return Connection(conn_id="smtp_default", host="127.0.0.1", port=server.port, extra={**known, **extra})


def test_foreign_text_is_text(server: MailServer, tmp_path: Path) -> None:
    """What a log or an error says is escaped in HTML, ends no header line, and turns no writing direction."""
    letter = failed_letter(failure(CredentialError(EVIL)), host=EVIL)
    message = address(letter, sender="lake@example.com", to=("a@example.com",), list_name="default", now=NOW)
    send(message, connection(server))
    (mail,) = Mailbox(tmp_path / "mails").all()
    assert "<img" not in mail["html"]
    assert "&lt;img" in mail["html"]
    assert not {name for name, _ in mail["headers"]} & {"Bcc", "bcc"}
    assert "\u202e" not in header_text(EVIL)
    assert "\n" not in header_text(EVIL)


def test_a_mail_has_both_parts_and_belongs_to_a_thread(server: MailServer, tmp_path: Path) -> None:
    """Plain text and HTML say the same; mails about one DAG and day refer to one another; sending twice is one mail."""
    letter = failed_letter(failure(CredentialError("The secret is wrong.", request_id="6f2")), is_simulated=True)
    for _ in range(2):
        message = address(letter, sender="lake@example.com", to=("a@example.com",), list_name="x y", now=NOW)
        send(message, connection(server))
    one, two = Mailbox(tmp_path / "mails").all()
    assert one["message_id"] == two["message_id"]
    headers = dict(map(tuple, one["headers"]))
    assert headers["References"] == headers["In-Reply-To"]
    assert headers["Auto-Submitted"] == "auto-generated"
    for part in (one["text"], one["html"]):
        for said in ("SIMULATED", "The secret is wrong.", "EL202", "6f2", "entra_logs", "worker-1", "Look."):
            assert said in part
    assert one["subject"] == "[entra-lake] FAILED the login service refuses the application · SIMULATED"


@pytest.mark.fault(57)
def test_a_server_that_is_down_is_an_error(server: MailServer) -> None:
    """A mail that nobody took raises, so that its claim can be withdrawn."""
    server.faults.down = True
    message = address(failed_letter(failure()), sender="l@example.com", to=("a@example.com",), list_name="x", now=NOW)
    with pytest.raises(OSError):
        send(message, connection(server, retry_limit=1))


def test_a_sender_is_needed() -> None:
    """A connection without from_email says which field to fill."""
    with pytest.raises(ConfigurationError, match="from_email"):
        sender_of(Connection(conn_id="smtp_default"))
    assert sender_of(Connection(conn_id="s", login="me@example.com")) == "me@example.com"


@pytest.mark.parametrize(
    ("day", "short", "long"),
    [
        (date(2026, 11, 22), "data safe until 2026-12-23", "in 713 hours"),
        (date(2026, 10, 24), "data safe until 2026-11-24", "in 17 hours"),
        (date(2026, 10, 23), "no longer at Microsoft", "no longer has the day"),
        (date(2026, 10, 1), "no longer at Microsoft", "no longer has the day"),
        (date(2026, 11, 24), "nothing to lose yet", "has not begun"),
        (None, "day unknown", "not known"),
    ],
)
def test_the_urgency_is_the_days_retention(day: date | None, short: str, long: str) -> None:
    """A mail says until when Microsoft still has the day, in the subject and in hours."""
    said = safety(day, NOW, 30)
    assert said[0] == short
    assert long in said[1]


def test_what_is_one_cause() -> None:
    """A refused login is one cause for all streams; a throttled stream is its own; a bad day concerns only itself."""
    refused = CredentialError("no")
    assert failure(refused).cause_id == failure(refused, stream="directory_audits").cause_id == "EL202"
    assert failure(ThrottledError("slow", retry_after=1)).cause_id == "EL101-sign_ins"
    denied = ConsentMissingError("no")
    assert failure(denied).cause_id == failure(denied, stream="directory_audits").cause_id == "EL203-AuditLog.Read.All"
    assert not failure(denied).is_of_lake
    assert failure().cause_id == "died-sign_ins.extract"
    assert failure(map_index=3).cause_id == "died-sign_ins.extract-3"


def test_foreign_exceptions_are_quoted_without_secrets() -> None:
    """An exception that is not ours may carry a next link: its query does not travel."""
    error = OSError("GET https://graph.microsoft.com/v1.0/x?$skiptoken=RFNwdAIAAQ failed")
    said = describe(error)
    assert "RFNwdAIAAQ" not in said.message
    assert said.words == "unexpected error (OSError)"


def test_links_are_quoted() -> None:
    """A run id cannot lead the reader elsewhere."""
    assert log_url("http://a.example/", failure(run_id="x/../?y#z", try_number=2)) == (
        "http://a.example/dags/entra_logs/runs/x%2F..%2F%3Fy%23z/tasks/sign_ins.extract?try_number=2"
    )
