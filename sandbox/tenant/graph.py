"""Graph's audit logs over HTTP: who may ask, how often, for what, and how the answer is wrapped."""

# ruff: noqa: EM101, EM102, TRY003 - the texts are Graph's
from __future__ import annotations

import gzip
import json
import time
from collections import deque
from collections.abc import Callable
from email.utils import format_datetime
from typing import Any

from entra_lake.schema import Stream
from sandbox import ticks
from sandbox.clock import Clock
from sandbox.tenant import errors
from sandbox.tenant.enums import hide_new_members
from sandbox.tenant.errors import GraphError
from sandbox.tenant.faults import IN_THE_PAGE, INSTEAD, ON_THE_WIRE, Fault, Faults
from sandbox.tenant.listing import Listing, Listings, Page
from sandbox.tenant.login import Login, Token
from sandbox.tenant.page_faults import Draft, spoil_delivery, spoil_listing, spoil_page
from sandbox.tenant.queries import Call, next_link, read_call, read_query, stream_of
from sandbox.tenant.records import Records
from sandbox.tenant.refusals import refuse
from sandbox.tenant.served import Served
from sandbox.tenant.throttle import IDENTITY_PROTECTION, Throttle
from sandbox.web import Request, Response

RETENTION_DAYS = 30
_CONTENT_TYPE = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
_FOR_LISTINGS = frozenset({"short_listing", "live_listing"})
_FOR_PAGES = IN_THE_PAGE - _FOR_LISTINGS
#: Faults after which nobody can read the page's rows.
_UNREADABLE = frozenset({"broken_json", "value_missing", "value_null", "empty_page"})
_DIAGNOSTIC = json.dumps(
    {
        "ServerInfo": {
            "DataCenter": "Simulated",
            "Slice": "E",
            "Ring": "5",
            "ScaleUnit": "000",
            "RoleInstance": "SIMULATED",
        }
    }
)


class Graph:
    """Answer `GET /v1.0/auditLogs/…` for every stream of the library.

    :param origin: scheme, host and port as clients see them.
    :param wait: sleeps, and ends early when the server stops.
    """

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        records: Records,
        clock: Clock,
        login: Login,
        faults: Faults,
        origin: str,
        wait: Callable[[float], object],
        served: Served,
    ) -> None:
        self.records = records
        self.served = served
        self.listings = Listings()
        self.throttle = Throttle(clock.seconds)
        self.requests: deque[dict[str, Any]] = deque(maxlen=20_000)
        self._clock = clock
        self._login = login
        self._faults = faults
        self._origin = origin
        self._wait = wait

    def answer(self, request: Request) -> Response:
        """Answer a request; every one is noted, whatever becomes of it."""
        call = read_call(request)
        started = time.monotonic()
        try:
            response = self._serve(call)
        except GraphError as error:
            response = self._refusal(call, error)
        self._dress(call, response)
        struck = self._faults.strike(call.target, ON_THE_WIRE)
        for fault in struck:
            spoil_delivery(fault, response)
        if call.stream is not None and not struck:
            self.served.note(call.stream.name, call.shown)
        self._note(call, response, time.monotonic() - started)
        return response

    def _serve(self, call: Call) -> Response:
        call.stream = stream_of(call)
        listing, offset = self._resume(call)
        token = self._admit(call)
        if self._faults.latency_seconds:
            self._wait(self._faults.latency_seconds)
        fault = self._faults.strike_first(call.target, INSTEAD, lambda fault: self._applies(fault, call, token))
        if fault is not None:
            return self._refuse(fault, call)
        if call.stream is None:
            segment = call.request.path.rsplit("/", 1)[-1]
            raise errors.bad_request(f"Resource not found for the segment '{segment}'.")
        if listing is None:
            listing, offset = self._begin(call, call.stream), 0
        return self._page(call, listing, offset)

    def _admit(self, call: Call) -> Token:
        bearer = (call.request.headers.get("Authorization") or "").removeprefix("Bearer").strip()
        if not bearer:
            raise errors.token_refused("Access token is empty.")
        token = self._login.read(bearer)
        if token is None:
            raise errors.token_refused("Lifetime validation failed, the token is expired.")
        limit = self._faults.throttle
        if limit is not None:
            limit = IDENTITY_PROTECTION if "identityProtection" in call.request.path else limit
            wait = self.throttle.refuse(token.app_id, limit)
            if wait:
                raise errors.throttled(limit.header(wait), call.request_id)
        return token

    def _applies(self, fault: Fault, call: Call, token: Token) -> bool:
        if fault.kind == "claims_challenge":
            return "nbf" not in (token.claims or "")  # MSAL always sends its client's capabilities as claims
        if fault.kind == "page_size_refused":
            top = call.parameter("$top") or "1000"
            return not top.isdigit() or int(top) > int(fault.details.get("largest", 999))
        return True

    def _refuse(self, fault: Fault, call: Call) -> Response:
        if fault.kind == "token_revoked":
            self._login.revoke()
        return refuse(fault, self._clock.now(), call.parameter("$top") or "1000")

    def _resume(self, call: Call) -> tuple[Listing | None, int]:
        """Find the listing of a skiptoken; what is wrong with it is said later, once the caller was let in."""
        text = call.parameter("$skiptoken")
        token, _, offset = (text or "").partition("_")
        listing = self.listings.find(token)
        if text is None:
            call.page = 1
        if listing is None or not offset.isdigit():
            return None, 0
        call.page = listing.page_number(int(offset))
        return listing, int(offset)

    def _begin(self, call: Call, stream: Stream) -> Listing:
        skiptoken = call.parameter("$skiptoken")
        if skiptoken is not None:
            raise errors.skiptoken_invalid() if skiptoken else errors.skiptoken_null()
        struck = {fault.kind: fault for fault in self._faults.strike(call.target, _FOR_LISTINGS)}
        days = self._faults.retention_days or RETENTION_DAYS
        query = read_query(call, stream, self._clock.ticks(), days, live="live_listing" in struck)
        listing = Listing(query, self.records)
        listing.begin(self._clock.ticks())
        for fault in struck.values():
            spoil_listing(fault, listing, self._clock.ticks())
        self.listings.remember(listing)
        return listing

    def _page(self, call: Call, listing: Listing, offset: int) -> Response:
        now = self._clock.ticks()
        issued = listing.issued(offset)
        if issued is None or now - issued > self._faults.skiptoken_seconds * ticks.SECOND:
            raise errors.skiptoken_invalid()
        struck = self._faults.strike(call.target, _FOR_PAGES)
        sizes = [int(fault.details.get("rows", 7)) for fault in struck if fault.kind in ("short_page", "page_size")]
        page = listing.page(offset, now, sizes[0] if sizes else None)
        draft = self._draft(call, page, now)
        for fault in struck:
            spoil_page(fault, draft)
        stream = listing.query.stream
        if not any(fault.kind in _UNREADABLE for fault in struck):
            call.shown = page.rows
        body = draft.write(f"{self._origin}/{stream.api_version}/$metadata#{stream.path}")
        return Response(200, body, {"Content-Type": _CONTENT_TYPE})

    def _draft(self, call: Call, page: Page, now: int) -> Draft:
        bodies = [row.body for row in page.rows]
        if "include-unknown-enum-members" not in (call.request.headers.get("Prefer") or ""):
            bodies = [hide_new_members(page.listing.query.stream, body) for body in bodies]

        def link_to(offset: int) -> str:
            return next_link(self._origin, page.listing, offset)

        following = None if page.next_offset is None else link_to(page.next_offset)
        return Draft(page, bodies, following, link_to, now)

    def _refusal(self, call: Call, error: GraphError) -> Response:
        inner = {
            "date": self._clock.now().strftime("%Y-%m-%dT%H:%M:%S"),
            "request-id": call.request_id,
            "client-request-id": call.client_request_id,
        }
        body = {"error": {"code": error.code, "message": error.message, "innerError": inner}}
        headers = {"Content-Type": _CONTENT_TYPE, **error.headers}
        return Response(error.status, json.dumps(body, separators=(",", ":")).encode(), headers)

    def _dress(self, call: Call, response: Response) -> None:
        response.headers |= {
            "request-id": call.request_id,
            "client-request-id": call.client_request_id,
            "x-ms-ags-diagnostic": _DIAGNOSTIC,
            "Strict-Transport-Security": "max-age=31536000",
            "Vary": "Accept-Encoding",
            "Date": format_datetime(self._clock.now(), usegmt=True),
        }
        accepted = call.request.headers.get("Accept-Encoding") or ""
        if "gzip" in accepted and isinstance(response.body, bytes) and response.body:
            response.headers["Content-Encoding"] = "gzip"
            response.body = gzip.compress(response.body, 1, mtime=0)

    def _note(self, call: Call, response: Response, seconds: float) -> None:
        self.requests.append(
            {
                "time": ticks.iso(self._clock.ticks()),
                "method": call.request.method,
                "path": call.request.path,
                "status": response.status,
                "stream": call.stream.name if call.stream else None,
                "page": call.page,
                "filter": call.parameter("$filter"),
                "request_id": call.request_id,
                "client_request_id": call.client_request_id,
                "user_agent": call.request.headers.get("User-Agent"),
                "seconds": round(seconds, 4),
            }
        )
