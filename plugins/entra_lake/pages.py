"""Pages of a listing, cut into records without changing what Graph sent.

A record is kept as the bytes that were received: its SHA-256 is its content, and parsing may lose
what nobody thought of. A page either is one whole valid listing page or it is refused; Graph has
sent HTTP 200 with an error object in the middle of `value`, which must never look like a short page.

Each record is framed on one line. A CR or LF between tokens becomes a space; a raw one inside a
string, which JSON forbids and which was seen all the same, becomes its escape. Nothing else of a
record is ever changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from json import JSONDecodeError, JSONDecoder
from typing import NoReturn

import msgspec

from entra_lake.errors import GraphUnavailableError
from entra_lake.redaction import quote

NEXT_LINK = "@odata.nextLink"


class InvalidPage(GraphUnavailableError):  # noqa: N818  it is a fact about a page before it is an error
    """A body that is not one whole valid page of a listing."""


@dataclass(frozen=True)
class Page:
    """One page of a listing.

    :param records: each record's bytes as received, framed on one line.
    :param next_link: where the next page is; None on the last page. Opaque, and never to be logged.
    :param request_id: Graph's id of the request.
    :param client_request_id: our id of the request.
    :param size: bytes of the page, decoded.
    :param served_at: Graph's clock when it answered, UTC; None when the answer did not say.
    """

    records: tuple[bytes, ...]
    next_link: str | None = field(repr=False)
    request_id: str
    client_request_id: str
    size: int
    served_at: datetime | None


def split_page(body: bytes) -> tuple[tuple[bytes, ...], str | None]:
    """Cut a page into its records and its next link.

    :raises InvalidPage: with the reason, when the body is not one whole valid page.
    """
    values, others = _split_fast(body) or _split_thoroughly(_text(body))
    return _records(values), _next_link(others)


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        reason = f"the page is not UTF-8 (byte {error.start})"
        raise InvalidPage(reason) from None


# --- fast: what Graph sends as a rule ------------------------------------------------------------

_Members = tuple[list[bytes], dict[str, bytes]]
_ENVELOPE = msgspec.json.Decoder(dict[str, msgspec.Raw])
_RAW_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_LINE_BREAKS = bytes.maketrans(b"\r\n", b"  ")


def _split_fast(body: bytes) -> _Members | None:
    """Return the members of `value` and the other members; None where only a thorough look can tell."""
    try:
        envelope = _ENVELOPE.decode(body)
        # msgspec lets the last of two equal names win, and would drop the records of the first.
        compact = sum(len(key) + 4 + len(memoryview(value)) for key, value in envelope.items()) + 1
        if len(body) != compact or "value" not in envelope:
            return None
        # Raw control characters are no JSON to msgspec: line breaks here stand between tokens.
        values = [bytes(raw).translate(_LINE_BREAKS) for raw in _RAW_LIST.decode(envelope.pop("value"))]
        others = {key: bytes(value) for key, value in envelope.items()}
        for value in (*values, *others.values()):
            value.decode()  # msgspec looks into no text; one emoji in it makes a whole page's text 4 times as large
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    return values, others


# --- thorough: lone surrogates, raw control characters, white space; and the reason of a refusal ---


def _refuse_constant(name: str) -> NoReturn:
    reason = f"the page is not valid JSON: it holds {name}"
    raise InvalidPage(reason)


# Numbers stay text: only their place matters here, and Python refuses to convert very long ones.
_LENIENT = JSONDecoder(strict=False, parse_constant=_refuse_constant, parse_int=str, parse_float=str)
_SPACE = re.compile(r"[ \t\r\n]*")
_STRING_OR_BREAK = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\r\n]', re.DOTALL)


def _split_thoroughly(text: str) -> _Members:
    try:
        return _Scan(text).page()
    except JSONDecodeError as error:
        reason = f"the page is not valid JSON (character {error.pos}: {error.msg})"
        raise InvalidPage(reason) from None
    except RecursionError:
        reason = "the page is nested too deeply"
        raise InvalidPage(reason) from None


class _Scan:
    """A walk over one page's text that remembers where each value begins and ends."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def page(self) -> _Members:
        """Return the members of `value` and the other members of the page."""
        values: list[bytes] | None = None
        others: dict[str, bytes] = {}
        self._expect("{")
        while self._peek() != "}":
            key = self._key()
            if key in others or (key == "value" and values is not None):
                reason = f"the page has two members {quote(key)!r}"
                raise InvalidPage(reason)
            if key == "value":
                values = self._list()
            else:
                others[key] = self._value()
            self._comma("}")
        self._expect("}")
        if self._peek():
            self._fail("extra data")
        if values is None:
            reason = _without_value(others)
            raise InvalidPage(reason)
        return values, others

    def _fail(self, expectation: str) -> NoReturn:
        raise JSONDecodeError(expectation, self._text, self._at)

    def _list(self) -> list[bytes]:
        if self._peek() != "[":
            reason = "`value` is not a list"
            raise InvalidPage(reason)
        self._expect("[")
        values = []
        while self._peek() != "]":
            values.append(self._value())
            self._comma("]")
        self._expect("]")
        return values

    def _key(self) -> str:
        if self._peek() != '"':
            self._fail("a name was expected")
        key, self._at = _LENIENT.raw_decode(self._text, self._at)
        self._expect(":")
        return str(key)

    def _value(self) -> bytes:
        self._peek()
        begin = self._at
        _, self._at = _LENIENT.raw_decode(self._text, begin)
        return _STRING_OR_BREAK.sub(_on_one_line, self._text[begin : self._at]).encode()

    def _comma(self, end: str) -> None:
        if self._peek() == end:
            return
        self._expect(",")
        if self._peek() == end:
            self._fail("a value was expected")

    def _peek(self) -> str:
        """Skip white space and return the character that follows; an empty text at the end."""
        match = _SPACE.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._text[self._at : self._at + 1]

    def _expect(self, character: str) -> None:
        if self._peek() != character:
            self._fail(f"{character!r} was expected")
        self._at += 1


def _on_one_line(match: re.Match[str]) -> str:
    token = match[0]
    return token.replace("\r", r"\r").replace("\n", r"\n") if token[0] == '"' else " "


# --- the same questions to both ------------------------------------------------------------------

_ERROR_RECORD = re.compile(rb'\{\s*"error"\s*:\s*\{')


def _without_value(others: dict[str, bytes]) -> str:
    if "error" in others:
        return f"an error stands in place of records: {quote(others['error'].decode())}"
    return "the page has no member `value`"


def _records(values: list[bytes]) -> tuple[bytes, ...]:
    for number, value in enumerate(values):
        if not value.startswith(b"{"):
            reason = f"record {number} of the page is not an object"
            raise InvalidPage(reason)
        if _ERROR_RECORD.match(value):
            reason = f"an error stands in place of record {number}: {quote(value.decode())}"
            raise InvalidPage(reason)
    return tuple(values)


def _next_link(others: dict[str, bytes]) -> str | None:
    """Return the next link. A strange one is refused: to overlook it would end the listing too early."""
    if "error" in others:
        reason = f"an error stands beside the records: {quote(others['error'].decode())}"
        raise InvalidPage(reason)
    names = [name for name in others if name.lower().endswith("nextlink")]
    if not names:
        return None
    text = others[names[0]]
    if names != [NEXT_LINK] or not text.startswith(b'"') or text == b'""':
        reason = "the page's next link is not one text under its usual name"
        raise InvalidPage(reason)
    return str(_LENIENT.decode(text.decode()))
