"""What came back for one request: an answer, or the reason why there is none that could be used."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One HTTP answer, read to its end.

    :param status: HTTP status; 0 when nothing arrived.
    :param headers: names in any case.
    :param body: what was received, decoded.
    :param problem: why the answer cannot be used, in a few words; None when it arrived whole.
    :param timed_out: True where the problem is that it took too long.
    """

    client_request_id: str
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    problem: str | None = None
    timed_out: bool = False

    @property
    def request_id(self) -> str:
        """Return Graph's id of the request; ours where Graph did not answer."""
        received = self.headers.get("request-id", "")
        return received if re.fullmatch(r"[\w-]{1,64}", received) else self.client_request_id

    @property
    def served_at(self) -> datetime | None:
        """Return the server's clock, UTC."""
        return _http_date(self.headers.get("Date", ""))

    @property
    def is_redirect(self) -> bool:
        """Tell whether the server sends us somewhere else."""
        return 300 <= self.status < 400  # noqa: PLR2004

    @property
    def is_refusal(self) -> bool:
        """Tell whether the server refuses for good; a time-out (408) and throttling (429) pass."""
        return 400 <= self.status < 500 and self.status not in (408, 429)  # noqa: PLR2004

    def retry_after(self) -> float | None:
        """Return the seconds that the answer asks to wait: a number, a fraction, or until a date.

        :return: None when it does not say, or says nonsense.
        """
        text = self.headers.get("Retry-After", "").strip()
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]*)?", text):
            return float(text)
        moment = _http_date(text)
        if moment is None or self.served_at is None:
            return None
        # Both are the server's clock; ours may differ.
        return max((moment - self.served_at).total_seconds(), 0.0)

    def error(self) -> tuple[str, str] | None:
        """Return code and message of Graph's error envelope; None when the body is none."""
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        error = document.get("error") if isinstance(document, dict) else None
        if not isinstance(error, dict):
            return None
        return _text(error, "code"), _text(error, "message")


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
