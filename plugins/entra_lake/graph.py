"""A client of Microsoft Graph's audit logs: it lists the records of a slice, page by page.

The promise: `list_pages` ends normally only where Graph ended the listing, with a page that has no
next link. Trouble that may pass is waited out; everything else is an error that says what to do.
No page is held longer than its reader holds it, and no token or next link reaches a log.
"""

from __future__ import annotations

import json
import logging
import random
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar
from urllib.parse import quote as percent_encode
from urllib.parse import urlencode, urlsplit

from entra_lake.access_token import AccessTokens, claims_of, read_claims
from entra_lake.answers import Answer
from entra_lake.clock import Clock
from entra_lake.connections import GraphConnection
from entra_lake.errors import (
    ConfigurationError,
    ConsentMissingError,
    CredentialError,
    EntraLakeError,
    GraphUnavailableError,
    LicenceMissingError,
    ListingBrokenError,
    ThrottledError,
    UntrustedLinkError,
)
from entra_lake.gate import Gate
from entra_lake.next_links import Trail, check_origin
from entra_lake.pages import InvalidPage, Page, split_page
from entra_lake.patience import OnWait, Patience
from entra_lake.refusals import PageSizeRefusedError, Question, refusal, unavailable
from entra_lake.schema import Stream
from entra_lake.slices import Slice, filter_text
from entra_lake.transport import Transport

_log = logging.getLogger(__name__)

USER_AGENT: Final = "EntraLake/1.0"
#: What Graph accepts where it refuses pages of 1,000.
_SMALLER_PAGE: Final = 999
_OK: Final = 200
#: Seconds of waiting at the gate that are worth a report; shorter ones are the shared document's own.
_WORTH_A_REPORT: Final = 0.5

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Check:
    """What a test of the connection found.

    :param tenant_id: the tenant that the token is for; None when the token does not say.
    :param tenant_name: the organisation's name; None when the application may not read it.
    :param roles: the permissions in the token; empty when the token is opaque.
    :param clock_skew: seconds that our clock is ahead of Graph's.
    """

    tenant_id: str | None
    tenant_name: str | None
    roles: tuple[str, ...]
    clock_skew: float
    request_id: str


class GraphClient(AbstractContextManager["GraphClient"]):
    """Ask one tenant's Graph as one application; safe for threads.

    :param connection: where Graph is and who asks.
    :param gate: the request budget; every request to Graph passes it.
    :param clock: the time, and how to wait.
    :param read_timeout: seconds without a byte after which a request is given up; a whole answer may take twice that.
    :param connect_timeout: seconds to wait for a connection.
    :param max_tries: tries of one page, for trouble that may pass.
    :param on_wait: is told each wait, its seconds and its reason.
    :param on_token: is told each new token, so that logs can be masked.
    :param jitter: returns a number in [0, 1), to spread waits.
    """

    def __init__(
        self,
        connection: GraphConnection,
        *,
        gate: Gate,
        clock: Clock,
        read_timeout: float = 120.0,
        connect_timeout: float = 10.0,
        max_tries: int = 5,
        on_wait: OnWait | None = None,
        on_token: Callable[[str], None] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._connection = connection
        self._gate = gate
        self._clock = clock
        self._max_tries = max_tries
        self._on_wait = on_wait
        self._jitter = jitter
        self._transport = Transport(
            verify=connection.verify, clock=clock, connect_timeout=connect_timeout, read_timeout=read_timeout
        )
        self._tokens = AccessTokens(connection, self._transport, patience=self._new_patience, on_token=on_token)

    def list_pages(self, stream: Stream, window: Slice) -> Iterator[Page]:
        """List a slice of a stream, one page at a time, to its end.

        The order of records means nothing, a page may be empty, and a record may come twice.

        :raises ThrottledError: when Graph or the request budget asks for a longer pause than a task may sleep.
        :raises GraphUnavailableError: when a page could not be had in `max_tries`; `timed_out` tells of a slow one.
        :raises ListingBrokenError: when the listing cannot go on, repeats, or does not end.
        :raises RetentionError: when the slice begins before Graph's retention; `oldest` is its bound.
        :raises FatalError: when a person has to act first.
        """
        question = self._question(stream, window, stream.page_size)
        try:
            page = self._page(question)
        except PageSizeRefusedError:
            question = self._question(stream, window, _SMALLER_PAGE)
            page = self._page(question)
        trail = Trail()
        trail.add(question.url)
        yield page
        while page.next_link is not None:
            question = self._follow(question, page, trail)
            page = self._page(question)
            yield page

    def check(self) -> Check:
        """Try the connection out: fetch a token, read one record of the audit log, ask for the tenant's name.

        :raises CredentialError: when the login service refuses the application.
        :raises ConsentMissingError: when it may not read the logs.
        :raises RetryableError: when Graph is out of reach.
        """
        claims = read_claims(self._tokens.get())
        _, answer = self._ask(self._plain_question("auditLogs/directoryAudits?$top=1"), split_page)
        skew = (self._clock.now() - answer.served_at).total_seconds() if answer.served_at else 0.0
        organisation = self._organisation()
        return Check(
            tenant_id=_text(claims, "tid") or _text(organisation, "id"),
            tenant_name=_text(organisation, "displayName"),
            roles=tuple(role for role in claims.get("roles") or () if isinstance(role, str)),
            clock_skew=skew,
            request_id=answer.request_id,
        )

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- one page, until it can be used -----------------------------------------------------------

    def _page(self, question: Question) -> Page:
        (records, next_link), answer = self._ask(question, split_page)
        return Page(
            records=records,
            next_link=next_link,
            request_id=answer.request_id,
            client_request_id=answer.client_request_id,
            size=len(answer.body),
            served_at=answer.served_at,
        )

    def _ask(self, question: Question, read: Callable[[bytes], T]) -> tuple[T, Answer]:
        """Ask until the answer can be read, or its error is not one that passes."""
        patience = self._new_patience()
        reason = "request budget"
        while True:
            answer = self._send(question, self._tokens.get(), reason)
            outcome = _read(answer, question, read)
            if not isinstance(outcome, EntraLakeError):
                return outcome, answer
            self._recover(outcome, answer, patience)
            reason = "throttled by Graph" if isinstance(outcome, ThrottledError) else "request budget"

    def _recover(self, error: EntraLakeError, answer: Answer, patience: Patience) -> None:
        """Do what makes another try worth while.

        :raises EntraLakeError: this one, when there is no such thing or no try is left.
        """
        if isinstance(error, CredentialError):
            patience.spend(error)
            self._tokens.renew(claims_of(answer.headers.get("WWW-Authenticate", "")))
        elif isinstance(error, ThrottledError):
            patience.pause(error, self._gate)
        elif isinstance(error, (GraphUnavailableError, LicenceMissingError)):
            patience.wait(error, answer.retry_after())
        else:
            raise error
        _log.info("%s Trying again.", error.message)

    def _send(self, question: Question, token: str, reason: str) -> Answer:
        begun = self._clock.monotonic()
        self._gate.acquire()
        sent = self._clock.monotonic()
        if self._on_wait and sent - begun >= _WORTH_A_REPORT:
            self._on_wait(sent - begun, reason)
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
        return answer

    def _new_patience(self) -> Patience:
        return Patience(
            self._clock,
            max_tries=self._max_tries,
            longest_sleep=self._gate.longest_sleep,
            jitter=self._jitter,
            on_wait=self._on_wait,
        )

    # --- what to ask ------------------------------------------------------------------------------

    def _question(self, stream: Stream, window: Slice, page_size: int) -> Question:
        # No $orderby: nothing relies on an order, and Graph may then keep the one that it has.
        query = urlencode(
            {"$filter": filter_text(stream, window), "$top": page_size}, quote_via=percent_encode, safe="$:'"
        )
        return Question(
            subject=f"{stream.name} {window.start:%Y-%m-%d} {window.name}",
            url=f"{self._connection.graph_url}/{stream.api_version}/{stream.path}?{query}",
            application=self._connection.client_id,
            permission=stream.permission,
            licence=stream.licence,
        )

    def _plain_question(self, path: str) -> Question:
        return Question(
            subject=f"connection {self._connection.conn_id!r}",
            url=f"{self._connection.graph_url}/v1.0/{path}",
            application=self._connection.client_id,
            permission="AuditLog.Read.All",
        )

    def _follow(self, question: Question, page: Page, trail: Trail) -> Question:
        link = page.next_link or ""
        try:
            check_origin(link, self._connection.graph_url)
            trail.add(link)
        except (UntrustedLinkError, ListingBrokenError) as error:
            message = f"{question.subject}: {error.message} (request-id {page.request_id})."
            raise type(error)(message, request_id=page.request_id) from None
        return replace(question, url=link, follows_link=True)

    def _organisation(self) -> Mapping[str, Any]:
        """Return the tenant's own record; nothing where the application may not read it."""
        try:
            document, _ = self._ask(self._plain_question("organization?$select=id,displayName"), _json_object)
        except (ConsentMissingError, ConfigurationError):
            return {}
        first = document.get("value") or [{}]
        return first[0] if isinstance(first, list) and isinstance(first[0], dict) else {}


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


def _json_object(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise InvalidPage("the answer is not a JSON object")
    return document


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) and value else None
