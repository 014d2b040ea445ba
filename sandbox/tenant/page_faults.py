"""Faults in a page and on the wire: rows, links and bytes that are not what they should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import urlsplit

from sandbox.tenant.faults import Fault
from sandbox.tenant.listing import Listing, Page
from sandbox.web import Delivery, Response


@dataclass
class Draft:
    """A page on its way out.

    :param value: the text of `value` where a fault wrote it; empty is the rows' own, None leaves it out.
    :param tail: what ends the page.
    :param link_to: makes the next link of an offset.
    """

    page: Page
    bodies: list[bytes]
    next_link: str | None
    link_to: Callable[[int], str]
    now: int
    value: bytes | None = b""
    tail: bytes = b"}"

    def write(self, context: str) -> bytes:
        """Return the page's text."""
        head = f'{{"@odata.context":{json.dumps(context)}'
        if self.next_link is not None:
            head += f',"@odata.nextLink":{json.dumps(self.next_link)}'
        if self.value is None:
            return head.encode() + self.tail
        value = self.value or b"[" + b",".join(self.bodies) + b"]"
        return b"".join((head.encode(), b',"value":', value, self.tail))


def spoil_listing(fault: Fault, listing: Listing, now: int) -> None:
    """Let a whole listing be short."""
    if fault.kind != "short_listing":
        return
    count = listing.count(now)
    missing = max(1, round(count * float(fault.details.get("share", 0.3))))
    start = (count - missing) // 2 if fault.details.get("where") == "middle" else count - missing
    listing.dropped = (start, start + missing)


def spoil_page(fault: Fault, draft: Draft) -> None:
    """Let a page go wrong."""
    _SPOILERS.get(fault.kind, _nothing)(fault.details, draft)


def _nothing(_details: dict[str, Any], _draft: Draft) -> None:
    """Do nothing: the fault was taken care of when the page was cut."""


def _broken_json(_details: dict[str, Any], draft: Draft) -> None:
    message = "The property 'category[Nullable=False]' of type 'Edm.String' has a null value, which is not allowed."
    error = {"error": {"code": "BadRequest", "message": message, "innerError": {"request-id": "0"}}}
    whole = b",".join(draft.bodies)
    draft.value = b"[" + whole[: len(whole) // 2] + json.dumps(error).encode()
    draft.tail = b""


def _value_missing(_details: dict[str, Any], draft: Draft) -> None:
    draft.value = None


def _value_null(_details: dict[str, Any], draft: Draft) -> None:
    draft.value = b"null"


def _empty_page(_details: dict[str, Any], draft: Draft) -> None:
    draft.bodies = []
    # Marked, so that it is another link than the one that led here: a loop is another fault.
    draft.next_link = f"{draft.link_to(draft.page.offset)}&after=empty"


def _duplicates(details: dict[str, Any], draft: Draft) -> None:
    if details.get("where") == "between":
        draft.bodies += [draft.page.ahead.body] if draft.page.ahead else []
    else:
        draft.bodies = [body for body in draft.bodies for _ in range(2)]


def _shuffled(_details: dict[str, Any], draft: Draft) -> None:
    Random(draft.page.offset).shuffle(draft.bodies)


def _loop(details: dict[str, Any], draft: Draft) -> None:
    back_to = draft.page.number - int(details.get("length", 1)) + 1
    draft.next_link = draft.link_to(draft.page.listing.offset_of_page(back_to))


def _next_link(details: dict[str, Any], draft: Draft) -> None:
    parts = urlsplit(draft.next_link or draft.link_to(draft.page.offset))
    host, port = details.get("host", parts.hostname), details.get("port", parts.port)
    userinfo = f"{details['userinfo']}@" if "userinfo" in details else ""
    place = f"{userinfo}{host}:{port}" if port else f"{userinfo}{host}"
    draft.next_link = parts._replace(scheme=details.get("scheme", parts.scheme), netloc=place).geturl()


def _outside_window(_details: dict[str, Any], draft: Draft) -> None:
    draft.bodies += [seen.body for seen in draft.page.listing.outside(draft.now)]


def _splice(members: bytes) -> Callable[[dict[str, Any], Draft], None]:
    def spoil(_details: dict[str, Any], draft: Draft) -> None:
        draft.bodies = [body[:-1] + b"," + members + b"}" for body in draft.bodies]

    return spoil


def _unknown_enums(_details: dict[str, Any], draft: Draft) -> None:
    names = [
        column.path for column in draft.page.listing.query.stream.columns if column.values and "." not in column.path
    ]
    for number, body in enumerate(draft.bodies):
        record = json.loads(body)
        record.update({name: "brandNewMember" for name in names if name in record})
        draft.bodies[number] = json.dumps(record, separators=(",", ":")).encode()


_SPOILERS: dict[str, Callable[[dict[str, Any], Draft], None]] = {
    "broken_json": _broken_json,
    "value_missing": _value_missing,
    "value_null": _value_null,
    "empty_page": _empty_page,
    "duplicates": _duplicates,
    "shuffled": _shuffled,
    "loop": _loop,
    "next_link": _next_link,
    "outside_window": _outside_window,
    "unknown_enums": _unknown_enums,
    "unknown_fields": _splice(b'"brandNewField":{"deep":[1,{"deeper":null}]},"anotherNewField":1.0'),
    "surrogates": _splice(b'"oddText":"\\ud800 and \\u0000"'),
    "control_characters": _splice(b'"oddText":"a\x01b\x1fc"'),
}


def spoil_delivery(fault: Fault, response: Response) -> None:
    """Let the bytes go wrong on their way."""
    details = fault.details
    assert isinstance(response.body, bytes)
    after = int(details.get("after_bytes", 100))
    if fault.kind == "reset":
        response.delivery = Delivery(reset_after=after)
    elif fault.kind == "truncate" and details.get("honest"):
        response.body = response.body[:after]
    elif fault.kind == "truncate":
        response.delivery = Delivery(cut_after=after)
    elif fault.kind == "drip":
        response.delivery = Delivery(bytes_per_second=float(details.get("bytes_per_second", 100)))
    elif fault.kind == "corrupt_gzip" and response.body:
        middle = len(response.body) // 2
        response.body = response.body[:middle] + bytes([response.body[middle] ^ 0xFF]) + response.body[middle + 1 :]
