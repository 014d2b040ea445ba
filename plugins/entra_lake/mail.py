"""Mails: rendered from include/email/, put together and sent. No Airflow here, so that anything may mail."""

from __future__ import annotations

import hashlib
import re
import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from entra_lake.connections import Connection
from entra_lake.errors import ConfigurationError
from entra_lake.settings import include_folder

PREFIX: Final = "[entra-lake]"
_LONGEST_HEADER: Final = 230
_DEFAULT_TIMEOUT: Final = 30.0
#: What could end a header line and begin another, or turn the reading direction.
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One mail before it is addressed.

    :param thread: what mails of one conversation have in common: the DAG and the day.
    :param occasion: what makes it this mail and no other; the same occasion gives the same Message-ID.
    """

    subject: str
    text: str
    html: str
    thread: str
    occasion: str


def write_letter(name: str, subject: str, facts: Mapping[str, Any], *, thread: str, occasion: str) -> Letter:
    """Render `include/email/<name>.txt` and `.html` with these facts; the HTML escapes every one of them.

    :param facts: `is_simulated` among them marks the mail as one from a simulated tenant.
    """
    marked = f"{subject} · SIMULATED" if facts.get("is_simulated") else subject
    values = {**facts, "subject": header_text(f"{PREFIX} {marked}")}
    templates = _templates()
    return Letter(
        subject=values["subject"],
        text=templates.get_template(f"{name}.txt").render(values),
        html=templates.get_template(f"{name}.html").render(values),
        thread=thread,
        occasion=occasion,
    )


def address(letter: Letter, *, sender: str, to: tuple[str, ...], list_name: str, now: datetime) -> Message:
    """Return the mail ready to be sent, with a plain-text and an HTML part."""
    message = MIMEMultipart("alternative")
    # Encoded as a whole: EmailMessage folds a line before a single encoded word, and readers see two spaces.
    message["Subject"] = Header(letter.subject, "utf-8", header_name="Subject").encode()
    message["From"] = header_text(sender)
    message["To"] = header_text(", ".join(to))
    message["Date"] = format_datetime(now)
    message["Message-ID"] = _id(letter.occasion)
    for name in ("References", "In-Reply-To"):
        message[name] = _id(letter.thread)
    message["List-Id"] = f"Entra Lake <{re.sub('[^a-z0-9]', '-', list_name.lower())}.entra-lake.invalid>"
    message["Auto-Submitted"] = "auto-generated"
    message.attach(MIMEText(letter.text, "plain", "utf-8"))
    message.attach(MIMEText(letter.html, "html", "utf-8"))
    return message


def send(message: Message, connection: Connection) -> None:
    """Send through an Airflow SMTP connection, read as Airflow's own hook reads it.

    :raises OSError: when the mail server is out of reach; `smtplib.SMTPException` is one.
    """
    tries = 1 + int(connection.extra.get("retry_limit") or 0)
    for left in reversed(range(tries)):
        try:
            with _open(connection) as server:
                server.send_message(message)
        except OSError:
            if not left:
                raise
        else:
            return


def sender_of(connection: Connection) -> str:
    """Return the address from which the connection sends.

    :raises ConfigurationError: when it names none.
    """
    sender = connection.extra.get("from_email") or connection.login or ""
    if "@" not in str(sender):
        message = f"Connection {connection.conn_id!r}: extra.from_email is empty. Put the sender's address there."
        raise ConfigurationError(message)
    return str(sender)


def header_text(text: str) -> str:
    """Return a text that can be nothing but the value of one header."""
    line = _UNPRINTABLE.sub(" ", text).strip()
    return line if len(line) <= _LONGEST_HEADER else line[: _LONGEST_HEADER - 1] + "…"


def _open(connection: Connection) -> smtplib.SMTP:
    """Open the connection: TLS from the start unless `disable_ssl`, then STARTTLS unless `disable_tls`."""
    extra = connection.extra
    host, port = connection.host or "localhost", connection.port or 0
    timeout = float(extra.get("timeout") or _DEFAULT_TIMEOUT)
    context = ssl.create_default_context()
    if not _is_set(extra.get("disable_ssl")):
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=timeout, context=context)
    else:
        server = smtplib.SMTP(host, port, timeout=timeout)
        if not _is_set(extra.get("disable_tls")):
            server.starttls(context=context)
    if connection.login and connection.password:
        server.login(connection.login, connection.password)
    return server


def _is_set(value: object) -> bool:
    return str(value).lower() in ("true", "1", "yes")


def _id(name: str) -> str:
    return f"<{hashlib.sha256(name.encode()).hexdigest()[:32]}@entra-lake.invalid>"


def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(include_folder() / "email"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
