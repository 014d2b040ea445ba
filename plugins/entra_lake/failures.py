"""One failure: what is known of it, and what makes two failures the same. Pure: no Airflow, no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Final
from urllib.parse import quote as percent_encode

from entra_lake.advice import WORDS
from entra_lake.errors import EntraLakeError, RetryableError
from entra_lake.redaction import quote
from entra_lake.runs import again_command
from entra_lake.slices import end_of_retention
from entra_lake.streams import STREAMS

#: Codes whose cause is the lake's, whichever stream meets it first: one mail is enough for all streams.
_OF_LAKE: Final = frozenset({"EL202", "EL205", "EL206", "EL207"})
#: The code whose cause is a permission, which several streams may need.
_OF_PERMISSION: Final = "EL203"
#: Codes whose cause is the day's: another day that works says nothing about it.
_OF_DAY: Final = frozenset({"EL205", "EL206", "EL210", "EL211", "EL212"})
#: What failures of detections are about, where those of collecting name a stream.
DETECTIONS: Final = "detections"
_LONGEST_MESSAGE: Final = 2_000
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")


@dataclass(frozen=True, kw_only=True)
class Cause:
    """What an exception tells, or that there was none.

    :param kind: the exception's class.
    :param code: of our own errors, such as EL202.
    :param words: a few words for a subject line.
    :param message: what failed, on what, and what to do; without secrets.
    :param may_pass: True where trying again can help without anybody acting.
    """

    kind: str
    words: str
    message: str
    code: str = ""
    request_id: str | None = None
    may_pass: bool = False


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One failure of a task, or of a run.

    :param task_id: empty when it is the run's.
    :param stream: empty when it is the whole lake's; `DETECTIONS` when no stream's records are concerned.
    :param day: None when not even that could be found out.
    :param steps: state of each of the stream's tasks, such as {"extract": "success"}.
    """

    dag_id: str
    run_id: str
    lake: str
    cause: Cause
    task_id: str = ""
    map_index: int = -1
    try_number: int = 0
    stream: str = ""
    day: date | None = None
    steps: Mapping[str, str] = field(default_factory=dict)

    @property
    def cause_id(self) -> str:
        """Name the cause: failures with the same name need one mail."""
        if not self.cause.code:
            place = f"{self.task_id}-{self.map_index}" if self.map_index >= 0 else self.task_id
            return f"{self.cause.kind}-{place or 'run'}"
        owner = self.permission or ("" if self.is_of_lake else self.stream)
        day = str(self.day) if self.is_of_day and self.day else ""
        return "-".join(filter(None, (self.cause.code, owner, day)))

    @property
    def permission(self) -> str:
        """Return the Graph permission that is missing; empty when that is not the cause."""
        is_known = self.cause.code == _OF_PERMISSION and self.stream in STREAMS
        return STREAMS[self.stream].permission if is_known else ""

    @property
    def is_of_lake(self) -> bool:
        """Tell whether any stream may show that the cause is gone."""
        return self.cause.code in _OF_LAKE or not self.stream

    @property
    def is_of_day(self) -> bool:
        """Tell whether only this very day can show that the cause is gone."""
        return self.cause.code in _OF_DAY

    @property
    def command(self) -> str:
        """Return the command that takes the day again."""
        return again_command(self.dag_id, "" if self.stream == DETECTIONS else self.stream, self.day)


def describe(error: BaseException | None) -> Cause:
    """Return what the exception tells; without one, the task died without a word."""
    if error is None:
        return Cause(kind="died", words="the task died without a message", message=_DIED)
    kind = type(error).__name__
    if isinstance(error, EntraLakeError):
        return Cause(
            kind=kind,
            code=error.code,
            words=WORDS.get(error.code, kind),
            message=plain(error.message),
            request_id=error.request_id,
            may_pass=isinstance(error, RetryableError),
        )
    words = "a task took longer than it may" if "Timeout" in kind else f"unexpected error ({kind})"
    return Cause(kind=kind, words=words, message=f"{kind}: {quote(str(error))}")


def plain(text: str) -> str:
    """Return a text without control characters, for a mail's body."""
    return _CONTROL.sub(" ", text)[:_LONGEST_MESSAGE]


def safety(day: date | None, now: datetime, retention_days: int) -> tuple[str, str]:
    """Tell until when Microsoft still has the day: in a few words for a subject, and as a sentence."""
    if day is None:
        return "day unknown", "The day is not known, so nothing is known of its retention."
    if day > now.astimezone(UTC).date():
        return "nothing to lose yet", "The day has not begun: nothing can be lost yet."
    end = end_of_retention(day, retention_days)
    hours = (end - now).total_seconds() / 3600
    if hours <= 0:
        return "no longer at Microsoft", f"Microsoft keeps logs for {retention_days} days and no longer has the day."
    return f"data safe until {end:%Y-%m-%d}", (
        f"Microsoft still has the day: it leaves retention in {hours:.0f} hours, at {end:%Y-%m-%d %H:%M} UTC."
    )


def run_url(base_url: str, dag_id: str, run_id: str) -> str:
    """Return where the web UI shows the run."""
    return f"{base_url.rstrip('/')}/dags/{percent_encode(dag_id)}/runs/{percent_encode(run_id, safe='')}"


def log_url(base_url: str, failure: Failure) -> str:
    """Return where the web UI shows the log of the failed try; empty when the failure is the run's."""
    if not failure.task_id:
        return ""
    mapped = f"/mapped/{failure.map_index}" if failure.map_index >= 0 else ""
    tried = f"?try_number={failure.try_number}" if failure.try_number else ""
    run = run_url(base_url, failure.dag_id, failure.run_id)
    return f"{run}/tasks/{percent_encode(failure.task_id)}{mapped}{tried}"


_DIED: Final = (
    "The task failed and left no message: its machine was restarted, or the system killed its process, most often "
    "because memory ran out; or no mail could be sent at that moment. Its log may say more."
)
