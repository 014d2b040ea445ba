"""A mail server that keeps what it gets: SMTP on one port, and everything that arrived for reading."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import time
import warnings
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, cast

from aiosmtpd.smtp import SMTP, Envelope, Session


class Mailbox:
    """The mails that arrived, one file each, the oldest first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, raw: bytes) -> None:
        """Keep a mail."""
        with self._lock:
            fresh = self._folder / "arriving"
            fresh.write_bytes(raw)
            fresh.rename(self._folder / f"{time.time_ns():020d}.eml")

    def clear(self) -> None:
        """Throw all mails away."""
        with self._lock:
            for path in self._folder.glob("*.eml"):
                path.unlink()

    def all(self) -> list[dict[str, Any]]:
        """Return all mails, read."""
        with self._lock:
            return [_read(path.stem, path.read_bytes()) for path in sorted(self._folder.glob("*.eml"))]

    def raw(self, mail_id: str) -> bytes | None:
        """Return a mail as it came."""
        path = self._folder / f"{mail_id}.eml"
        return path.read_bytes() if mail_id.isdigit() and path.exists() else None


def _read(mail_id: str, raw: bytes) -> dict[str, Any]:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    return {
        "id": mail_id,
        "subject": str(message.get("Subject", "")),
        "from": str(message.get("From", "")),
        "to": str(message.get("To", "")),
        "date": str(message.get("Date", "")),
        "message_id": str(message.get("Message-ID", "")),
        "headers": [[name, str(value)] for name, value in message.items()],
        "text": _body(message, "plain"),
        "html": _body(message, "html"),
        "attachments": [part.get_filename() or "" for part in message.iter_attachments()],
    }


def _body(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body(preferencelist=(kind,))
    if part is None:
        return None
    try:
        return str(part.get_content())
    except LookupError:  # a charset that nobody knows
        return bytes(part.get_payload(decode=True) or b"").decode("latin-1")


class MailFaults:
    """How the mail server misbehaves: {"reject": 550, "slow_seconds": 2.0, "down": true}."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Behave again."""
        self.reject: int | None = None
        self.slow_seconds = 0.0
        self.down = False

    def configure(self, wanted: dict[str, Any]) -> None:
        """Merge settings.

        :raises ValueError: when there is no such setting.
        """
        if unknown := set(wanted) - {"reject", "slow_seconds", "down"}:
            message = f"The mail server knows no {', '.join(unknown)}. Choose from: reject, slow_seconds, down."
            raise ValueError(message)
        for name, value in wanted.items():
            setattr(self, name, value)


class MailServer:
    """Take mails on an SMTP port, in a thread of its own."""

    def __init__(self, mailbox: Mailbox, host: str, port: int) -> None:
        self.faults = MailFaults()
        self._mailbox = mailbox
        self._address = (host, port)
        self._ready = Event()
        self._failure: OSError | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._run, name="sandbox-smtp")
        self.port = port

    def start(self) -> None:
        """Begin to listen.

        :raises OSError: when the port is taken.
        """
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def stop(self) -> None:
        """Hang up and wait for the thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Keep the mail, unless a fault says otherwise."""
        if self.faults.slow_seconds:
            await asyncio.sleep(self.faults.slow_seconds)
        if self.faults.reject:
            return f"{self.faults.reject} SIMULATED refusal"
        self._mailbox.add(cast("bytes", envelope.original_content))
        return "250 Message accepted for delivery to nobody (SIMULATED)"

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            server = self._loop.run_until_complete(self._loop.create_server(self._connection, *self._address))
        except OSError as error:
            self._failure = error
            self._ready.set()
            self._loop.close()
            return
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(_cancel_all())
        self._loop.close()

    def _connection(self) -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _Door(self, self.faults, self._loop)


class _Door(SMTP):
    def __init__(self, server: MailServer, faults: MailFaults, loop: asyncio.AbstractEventLoop) -> None:
        self._faults = faults
        super().__init__(server, hostname="sandbox.invalid", ident="SIMULATED", loop=loop, enable_SMTPUTF8=True)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Reset the connection while the server is down."""
        if self._faults.down:
            cast("asyncio.Transport", transport).abort()
            return
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the connection, if there ever was one."""
        if self.transport is not None:
            super().connection_lost(error)


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)


def as_json(mails: list[dict[str, Any]]) -> bytes:
    """Write mails for `GET /mails`."""
    return json.dumps(mails, ensure_ascii=True).encode()
