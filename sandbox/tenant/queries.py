"""What a request to Graph asks for: its options, its stream, its query; and the next link in Graph's own spelling."""

# ruff: noqa: EM101, EM102, TRY003 - the texts are Graph's
from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote, unquote_plus

from entra_lake.schema import Stream
from entra_lake.streams import STREAMS
from sandbox import ticks
from sandbox.tenant import conditions, errors, filters
from sandbox.tenant.faults import Target
from sandbox.tenant.listing import Listing, Query, window
from sandbox.tenant.versions import Seen
from sandbox.web import Request


@dataclass
class Call:
    """A request to Graph, as far as it is understood.

    :param parameters: decoded, in the order of the request.
    :param shown: the rows that the answer holds.
    """

    request: Request
    request_id: str
    client_request_id: str
    parameters: tuple[tuple[str, str], ...]
    stream: Stream | None = None
    page: int | None = None
    shown: Sequence[Seen] = ()

    def parameter(self, name: str) -> str | None:
        """Return a query option; their names are case-insensitive."""
        return next((value for key, value in self.parameters if key.lower() == name), None)

    @property
    def target(self) -> Target:
        """Return what faults may look at."""
        stream = self.stream.name if self.stream else None
        return Target("graph", self.request.path, stream, self.page, self.parameter("$filter") or "")


def read_query(call: Call, stream: Stream, now: int, retention_days: int, *, live: bool) -> Query:
    """Return the query of a listing's first page.

    :raises GraphError: when Graph would refuse it.
    """
    if call.parameter("$skip") is not None:
        raise errors.skip_refused()
    condition = _condition(call, stream)
    oldest_day = (ticks.to_datetime(now) - timedelta(days=retention_days)).date()
    oldest = ticks.start_of(oldest_day)
    if condition is not None and _earliest(condition) < oldest:
        raise errors.before_retention(stream.time_field, oldest_day)
    condition = conditions.without(condition, stream.extra_filter)
    first, last = window(condition, stream.time_field, oldest, now)
    return Query(
        stream=stream,
        condition=condition,
        first=first,
        last=last,
        page_size=_page_size(call, stream),
        ascending=_ascending(call, stream),
        snapshot=None if live else now,
        parameters=call.parameters,
    )


def next_link(origin: str, listing: Listing, offset: int) -> str:
    """Write a next link as Graph does: the query encoded anew, the path in another case."""
    query = listing.query
    head, _, last = query.stream.path.rpartition("/")
    path = f"{origin}/{query.stream.api_version}/{head}/{last.lower()}"
    parameters = [*query.parameters, ("$skiptoken", f"{listing.token}_{offset}")]
    return f"{path}?" + "&".join(f"{_encode(name)}={_encode(value)}" for name, value in parameters)


def read_call(request: Request) -> Call:
    """Take a request apart."""
    pairs = (part.partition("=") for part in request.query.split("&") if part)
    parameters = tuple((unquote_plus(name), unquote_plus(value)) for name, _, value in pairs)
    request_id = str(uuid.uuid4())
    client_request_id = request.headers.get("client-request-id") or request_id
    return Call(request, request_id, client_request_id, parameters)


def stream_of(call: Call) -> Stream | None:
    """Choose the stream that the path, and where several share it the filter, asks for."""
    path = call.request.path.strip("/").lower()
    same = [stream for stream in STREAMS.values() if f"{stream.api_version}/{stream.path}".lower() == path]
    asked = (call.parameter("$filter") or "").replace(" ", "")
    special = [stream for stream in same if stream.extra_filter and stream.extra_filter.replace(" ", "") in asked]
    plain = [stream for stream in same if not stream.extra_filter]
    return next(iter(special + plain + same), None)


def _condition(call: Call, stream: Stream) -> filters.Node | None:
    text = call.parameter("$filter")
    if text is None:
        return None
    try:
        node = filters.parse(text)
        conditions.check(node, stream)
    except filters.FilterError as error:
        raise errors.bad_request(str(error)) from None
    return node


def _earliest(node: filters.Node) -> float:
    times = [
        leaf.literal.ticks
        for leaf in conditions.leaves(node)
        if isinstance(leaf, filters.Comparison) and isinstance(leaf.literal, filters.Time)
    ]
    return min(times, default=float("inf"))


def _page_size(call: Call, stream: Stream) -> int:
    top = call.parameter("$top")
    if top is None:
        return stream.page_size
    if not top.isdigit() or int(top) < 1:
        raise errors.bad_request(f"Invalid value '{top}' for $top query option found.")
    return min(int(top), stream.page_size)


def _ascending(call: Call, stream: Stream) -> bool:
    wanted = (call.parameter("$orderby") or f"{stream.time_field} desc").split()
    if wanted[:1] != [stream.time_field] or wanted[1:] not in ([], ["asc"], ["desc"]):
        raise errors.bad_request("Invalid orderby clause")
    return wanted[1:] != ["desc"]


def _encode(text: str) -> str:
    """Encode as .NET does: blanks as +, hexadecimal digits in lower case."""
    encoded = quote(text, safe="$()!*-_. ")
    parts = encoded.split("%")
    lowered = parts[0] + "".join("%" + part[:2].lower() + part[2:] for part in parts[1:])
    return lowered.replace(" ", "+")
