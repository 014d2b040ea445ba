"""A client of Microsoft Graph's audit logs: it lists the records of a slice, page by page.

The promise: `list_pages` ends normally only where Graph ended the listing, with a page that has no
next link. Trouble that may pass is waited out; everything else is an error that says what to do.
No page is held longer than its reader holds it, and no token or next link reaches a log.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Final
from urllib.parse import quote as percent_encode
from urllib.parse import urlencode

from entra_lake.access_token import read_claims
from entra_lake.asking import Asker
from entra_lake.clock import Clock
from entra_lake.connections import GraphConnection
from entra_lake.errors import (
    ConfigurationError,
    ConsentMissingError,
    ListingBrokenError,
    UntrustedLinkError,
    WrongClockError,
)
from entra_lake.gate import Gate
from entra_lake.next_links import Trail, check_origin
from entra_lake.pages import InvalidPage, Page, split_page
from entra_lake.patience import OnWait
from entra_lake.refusals import PageSizeRefusedError, Question
from entra_lake.schema import Stream
from entra_lake.slices import Slice, filter_text
from entra_lake.transport import Transport

#: What Graph accepts where it refuses pages of 1,000.
_SMALLER_PAGE: Final = 999
#: Seconds between our clock and Graph's beyond which nothing is read; no answer takes as long. S3 refuses at 900.
LARGEST_SKEW: Final = 300.0


@dataclass(frozen=True, kw_only=True)
class Check:
    """What a test of the connection found.

    :param tenant_id: the tenant that the token is for; None when the token does not say.
    :param tenant_name: the organisation's name; None when the application may not read it.
    :param roles: the permissions in the token; empty when the token is opaque.
    :param clock_skew: seconds that our clock is ahead of Graph's.
    :param request_id: Graph's id of the request that read the log.
    """

    tenant_id: str | None
    tenant_name: str | None
    roles: tuple[str, ...]
    clock_skew: float
    request_id: str


class GraphClient(AbstractContextManager["GraphClient"]):
    """Read one tenant's logs as one application; safe for threads.

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

    def __init__(  # noqa: PLR0913  all but the connection are named at the call
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
        self._clock = clock
        self._splitting = Lock()
        self._transport = Transport(
            verify=connection.verify, clock=clock, connect_timeout=connect_timeout, read_timeout=read_timeout
        )
        self._asker = Asker(
            connection,
            transport=self._transport,
            gate=gate,
            clock=clock,
            max_tries=max_tries,
            on_wait=on_wait,
            on_token=on_token,
            jitter=jitter,
        )

    @property
    def waited_seconds(self) -> float:
        """Return the seconds that this thread has waited so far, for the request budget and for Graph."""
        return self._asker.waited_seconds

    def list_pages(self, stream: Stream, window: Slice) -> Iterator[Page]:
        """List a slice of a stream, one page at a time, to its end.

        The order of records means nothing, a page may be empty, and a record may come twice.

        :raises ThrottledError: when Graph or the request budget asks for a longer pause than a task may sleep.
        :raises GraphUnavailableError: when a page could not be had in `max_tries`: `timed_out` tells of a slow one,
            and `InvalidPage` of one that is never valid.
        :raises ListingBrokenError: when the listing cannot go on, repeats, or does not end.
        :raises RetentionError: when the slice begins before Graph's retention; `oldest` is its bound.
        :raises WrongClockError: when this machine's clock is not Graph's.
        :raises FatalError: when a person has to act first.
        """
        question = self._question(stream, window, stream.page_size)
        try:
            page = self._page(question)
        except PageSizeRefusedError:
            question = self._question(stream, window, _SMALLER_PAGE)
            page = self._page(question)
        if self._is_far_off(page):
            page = self._page(question)  # the answer may have lain somewhere on its way
            self._require_right_clock(page)
        trail = Trail()
        trail.add(question.url)
        while page.next_link is not None:
            question = self._follow(question, page, trail)
            yield page
            del page  # several listings at a time wait for their next page; none holds its last one meanwhile
            page = self._page(question)
        yield page

    def check(self) -> Check:
        """Try the connection out: fetch a token, read one record of the audit log, ask for the tenant's name.

        :raises CredentialError: when the login service refuses the application.
        :raises ConsentMissingError: when it may not read the logs.
        :raises RetryableError: when Graph is out of reach.
        """
        claims = read_claims(self._asker.tokens.get())
        audit = self._page(self._plain_question("auditLogs/directoryAudits?$top=1"))
        skew = self._skew(audit)
        organisation = self._organisation()
        return Check(
            tenant_id=_text(claims, "tid") or _text(organisation, "id"),
            tenant_name=_text(organisation, "displayName"),
            roles=tuple(role for role in claims.get("roles") or () if isinstance(role, str)),
            clock_skew=skew,
            request_id=audit.request_id,
        )

    def log_in(self) -> str:
        """Fetch a token without asking Graph anything; return the id of its tenant, empty if it cannot be read.

        :raises CredentialError: when the login service refuses the application.
        :raises RetryableError: when it is out of reach.
        """
        return _text(read_claims(self._asker.tokens.get()), "tid") or ""

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _skew(self, page: Page) -> float:
        """Return how many seconds our clock is ahead of the one that a page has just been served by."""
        return (self._clock.now() - page.served_at).total_seconds() if page.served_at else 0.0

    def _is_far_off(self, page: Page) -> bool:
        return abs(self._skew(page)) > LARGEST_SKEW

    def _require_right_clock(self, page: Page) -> None:
        if self._is_far_off(page):
            skew = self._skew(page)
            message = (
                f"This machine's clock is {abs(skew):,.0f} s {'ahead of' if skew > 0 else 'behind'} Graph's (request-id"
                f" {page.request_id}): by it nobody can tell which days are over. Nothing was read. Set it, by NTP."
            )
            raise WrongClockError(message, request_id=page.request_id)

    def _page(self, question: Question) -> Page:
        (records, next_link), answer = self._asker.ask(question, self._split)
        return Page(
            records=records,
            next_link=next_link,
            request_id=answer.request_id,
            client_request_id=answer.client_request_id,
            size=len(answer.body),
            served_at=answer.served_at,
        )

    def _split(self, body: bytes) -> tuple[tuple[bytes, ...], str | None]:
        """Split one page at a time: side by side it would be no faster, and takes several times a page's bytes."""
        with self._splitting:
            return split_page(body)

    def _question(self, stream: Stream, window: Slice, page_size: int) -> Question:
        # No $orderby: nothing relies on an order, and Graph may then keep the one that it has.
        parameters = {"$filter": filter_text(stream, window), "$top": page_size}
        query = urlencode(parameters, quote_via=percent_encode, safe="$:'()/")
        return Question(
            subject=f"{stream.name} {window.start:%Y-%m-%d} {window.name}",
            url=f"{self._connection.graph_url}/{stream.api_version}/{stream.path}?{query}",
            application=self._connection.client_id,
            permission=stream.permission,
            licence=stream.licence,
        )

    def _plain_question(self, path: str) -> Question:
        return Question(
            subject=f"Connection {self._connection.conn_id!r}",
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
            message = f"{question.subject}: {error.message} (request-id {page.request_id})"
            raise type(error)(message, request_id=page.request_id) from None
        return replace(question, url=link, follows_link=True)

    def _organisation(self) -> Mapping[str, Any]:
        """Return the tenant's own record; nothing where the application may not read it."""
        question = self._plain_question("organization?$select=id,displayName")
        try:
            document, _ = self._asker.ask(question, _json_object)
        except (ConsentMissingError, ConfigurationError):
            return {}
        found = document.get("value")
        return found[0] if isinstance(found, list) and found and isinstance(found[0], dict) else {}


def _json_object(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        reason = "the answer is not a JSON object"
        raise InvalidPage(reason)
    return document


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) and value else None
