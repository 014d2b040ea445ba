"""Ask Graph one question until its answer can be used, or its error is one that does not pass."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable
from typing import Final, TypeVar
from urllib.parse import urlsplit

from entra_lake import __version__
from entra_lake.access_token import AccessTokens, claims_of
from entra_lake.answers import Answer
from entra_lake.clock import Clock
from entra_lake.connections import GraphConnection
from entra_lake.errors import (
    CredentialError,
    EntraLakeError,
    GraphUnavailableError,
    LicenceMissingError,
    ThrottledError,
)
from entra_lake.gate import Gate
from entra_lake.pages import InvalidPage
from entra_lake.patience import OnWait, Patience
from entra_lake.refusals import Question, refusal, unavailable
from entra_lake.transport import Transport

_log = logging.getLogger(__name__)

USER_AGENT: Final = f"EntraLake/{__version__}"
_OK: Final = 200
#: Seconds of waiting at the gate that are worth a report; shorter ones are the shared document's own.
_WORTH_A_REPORT: Final = 0.5

T = TypeVar("T")


class Asker:
    """Ask one tenant's Graph as one application; safe for threads.

    :param transport: how to reach Graph and the login service.
    :param gate: the request budget; every request to Graph passes it, those for tokens do not.
    :param max_tries: tries of one question, for trouble that may pass.
    :param on_wait: is told each wait, its seconds and its reason.
    :param on_token: is told each new token, so that logs can be masked.
    :param jitter: returns a number in [0, 1), to spread waits.
    """

    def __init__(  # noqa: PLR0913  all but the connection are named at the call
        self,
        connection: GraphConnection,
        *,
        transport: Transport,
        gate: Gate,
        clock: Clock,
        max_tries: int,
        on_wait: OnWait | None,
        on_token: Callable[[str], None] | None,
        jitter: Callable[[], float],
    ) -> None:
        self._transport = transport
        self._gate = gate
        self._clock = clock
        self._max_tries = max_tries
        self._on_wait = on_wait
        self._jitter = jitter
        self._mine = threading.local()
        self.tokens = AccessTokens(connection, transport, patience=self._new_patience, on_token=on_token)

    @property
    def waited_seconds(self) -> float:
        """Return the seconds that this thread has waited so far, for the budget and for Graph."""
        return getattr(self._mine, "waited_seconds", 0.0)

    def ask(self, question: Question, read: Callable[[bytes], T]) -> tuple[T, Answer]:
        """Return what the answer holds, and the answer.

        :param read: makes the result of a body, or raises `InvalidPage`.
        :raises EntraLakeError: the last trouble, when no try is left or none would help.
        """
        patience = self._new_patience()
        reason = "request budget"
        while True:
            answer, sent_at = self._send(question, self.tokens.get(), reason)
            outcome = _read(answer, question, read)
            if not isinstance(outcome, EntraLakeError):
                return outcome, answer
            self._recover(outcome, answer, sent_at, patience)
            reason = "throttled by Graph" if isinstance(outcome, ThrottledError) else "request budget"

    def _recover(self, error: EntraLakeError, answer: Answer, sent_at: float, patience: Patience) -> None:
        """Do what makes another try worth while.

        :param sent_at: the request's moment at the gate.
        :raises EntraLakeError: this one, when there is no such thing or no try is left.
        """
        if isinstance(error, CredentialError):
            patience.spend(error)
            self.tokens.renew(claims_of(answer.headers.get("WWW-Authenticate", "")))
        elif isinstance(error, ThrottledError):
            patience.pause(error, self._gate, sent_at)
        elif isinstance(error, (GraphUnavailableError, LicenceMissingError)):
            patience.wait(error, answer.retry_after(), self._gate)
        else:
            raise error
        _log.info("%s Trying again.", error.message)

    def _send(self, question: Question, token: str, reason: str) -> tuple[Answer, float]:
        begun = self._clock.monotonic()
        moment = self._gate.acquire()
        sent = self._clock.monotonic()
        if sent - begun >= _WORTH_A_REPORT:
            self._report_wait(sent - begun, reason)
        client_request_id = str(uuid.uuid4())
        answer = self._transport.send("GET", question.url, client_request_id, _headers(token, client_request_id))
        _log.debug(
            "GET %s: %s, %d bytes in %.2f s, request-id %s, client-request-id %s",
            urlsplit(question.url).path,
            answer.problem or answer.status,
            len(answer.body),
            self._clock.monotonic() - sent,
            answer.request_id,
            client_request_id,
        )
        return answer, moment

    def _new_patience(self) -> Patience:
        return Patience(
            self._clock,
            max_tries=self._max_tries,
            longest_sleep=self._gate.longest_sleep,
            jitter=self._jitter,
            on_wait=self._report_wait,
        )

    def _report_wait(self, seconds: float, reason: str) -> None:
        self._mine.waited_seconds = self.waited_seconds + seconds
        if self._on_wait:
            self._on_wait(seconds, reason)


def _headers(token: str, client_request_id: str) -> dict[str, str]:
    return {
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
        "Authorization": f"Bearer {token}",
        # Else Graph writes `unknownFutureValue` where an enumeration has grown.
        "Prefer": "include-unknown-enum-members",
        "User-Agent": USER_AGENT,
        "client-request-id": client_request_id,
    }


def _read(answer: Answer, question: Question, read: Callable[[bytes], T]) -> T | EntraLakeError:
    """Return what the answer holds, or the error that it means."""
    if answer.status != _OK or answer.problem:
        return refusal(answer, question)
    try:
        return read(answer.body)
    except InvalidPage as invalid:
        reason = invalid.message
    return unavailable(answer, question, reason, InvalidPage)
