"""Who was told what: small objects in the lake's bucket decide that a cause is mailed once.

    mails/<run>/<cause>.json         this run has failed of this cause; whoever creates it may mail
    mails/incidents/<cause>.json     the cause is open: since when, in which runs and on which days

A cause that several runs meet within six hours is one mail; the days that came later are noted, and
listed by the next mail about it: a reminder after six hours, or the good news that it works again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from entra_lake.failures import DETECTIONS, Failure
from entra_lake.layout import mail_key
from entra_lake.rewriting import rewrite
from entra_lake.store import S3Store

#: Within this time, further runs that meet the same cause are noted and not mailed.
QUIET: Final = timedelta(hours=6)
_PREFIX: Final = "mails/incidents/"


@dataclass(frozen=True, kw_only=True)
class Incident:
    """One cause, from the first failure until it works again.

    :param day: set when only this day can show that the cause is gone.
    :param mailed_at: when the last mail about it went out; empty when none could be sent.
    :param days: all days on which it was met.
    :param unread_at: when reading from Graph last failed of it; empty when it was another step that did.
    """

    cause: str
    words: str
    lake: str
    dag_id: str
    stream: str
    day: str
    opened_at: str
    mailed_at: str
    days: tuple[str, ...]
    unread_at: str = ""
    is_open: bool = True

    def to_bytes(self) -> bytes:
        """Return the incident as JSON."""
        return json.dumps(asdict(self), indent=1).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Incident:
        """Read an incident from its JSON."""
        facts = json.loads(content)
        return cls(**{**facts, "days": tuple(facts["days"])})

    def concerns(self, stream: str, day: str, read_from: datetime | None = None) -> bool:
        """Tell whether success of this stream on this day shows that the cause is gone.

        A reading that was under way when another failed shows nothing: it has, say, an older access token.
        """
        is_its = stream == self.stream or (not self.stream and stream != DETECTIONS)
        is_older = read_from and self.unread_at and read_from <= datetime.fromisoformat(self.unread_at)
        return self.is_open and is_its and self.day in ("", day) and not is_older


def claim(store: S3Store, failure: Failure, now: datetime) -> tuple[str, ...] | None:
    """Decide whether this failure is to be mailed.

    :returns: the days that the mail has to list; None when somebody has been told already.
    :raises EntraLakeError: when the bucket is out of reach: then mail.
    """
    note = json.dumps({"cause": failure.cause_id, "task_id": failure.task_id, "at": now.isoformat()})
    if store.create(mail_key(failure.run_id, failure.cause_id), note.encode()) is None:
        return None
    days: tuple[str, ...] | None = None

    def noted(content: bytes | None) -> bytes:
        nonlocal days
        old = None if content is None else Incident.from_bytes(content)
        new = _note(old, failure, now)
        days = None if old and old.is_open and new.mailed_at == old.mailed_at else new.days
        return new.to_bytes()

    return days if rewrite(store, _key(failure.cause_id), noted) else (str(failure.day or ""),)


def withdraw(store: S3Store, failure: Failure) -> None:
    """Note that the mail could not be sent, so that the next failure of this cause is mailed."""
    found = store.read(_key(failure.cause_id))
    if found:
        unsent = replace(Incident.from_bytes(found[0]), mailed_at="")
        store.replace(_key(failure.cause_id), unsent.to_bytes(), found[1])


def close(store: S3Store, stream: str, day: str, read_from: datetime | None = None) -> Iterator[Incident]:
    """Close what success of this stream on this day shows to be gone; each incident is returned to one caller.

    :param read_from: when the task that has read the day began; None when that is not known.
    """
    for item in list(store.list(_PREFIX)):
        found = store.read(item.key)
        incident = Incident.from_bytes(found[0]) if found else None
        if found and incident and incident.concerns(stream, day, read_from):
            closed = replace(incident, is_open=False)
            if store.replace(item.key, closed.to_bytes(), found[1]):
                yield incident


def _note(old: Incident | None, failure: Failure, now: datetime) -> Incident:
    """Return the incident with this failure in it, and the time of the mail if there has to be one."""
    day = str(failure.day or "")
    unread_at = now.isoformat() if failure.task_id.endswith(".extract") else ""
    if old is None or not old.is_open:
        return Incident(
            cause=failure.cause_id,
            words=failure.cause.words,
            lake=failure.lake,
            dag_id=failure.dag_id,
            stream="" if failure.is_of_lake else failure.stream,
            day=day if failure.is_of_day else "",
            opened_at=now.isoformat(),
            mailed_at=now.isoformat(),
            days=(day,),
            unread_at=unread_at,
        )
    days = tuple(sorted({*old.days, day}))
    is_quiet = bool(old.mailed_at) and now - datetime.fromisoformat(old.mailed_at).astimezone(UTC) < QUIET
    mailed_at = old.mailed_at if is_quiet else now.isoformat()
    return replace(old, days=days, mailed_at=mailed_at, unread_at=unread_at or old.unread_at)


def _key(cause: str) -> str:
    return mail_key("incidents", cause)
