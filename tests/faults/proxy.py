"""A proxy in front of AWS that misbehaves by rule: what happens on the way, and what no server says itself.

Rules are tried in their order; the first that fits a request, and is not used up, acts instead of plain forwarding.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote
from xml.sax.saxutils import escape

import urllib3

from sandbox.web import Delivery, HttpServer, Request, Response

Forward = Callable[[Request], Response]
Act = Callable[[Request, Forward], Response]
#: These describe one hop only, or are written anew by the server.
_OF_THE_HOP = {"connection", "content-length", "transfer-encoding", "keep-alive"}


@dataclass
class Rule:
    """What goes wrong, where, and how often.

    :param key: searched in the decoded path, `/bucket/key` for S3.
    :param call: searched in the operation of Athena and Glue, such as `StartQueryExecution`.
    :param times: how often it strikes; None for ever.
    :param passes: how many requests that fit go well before.
    """

    act: Act
    method: str = ""
    key: str = ""
    call: str = ""
    times: int | None = 1
    passes: int = 0
    struck: int = 0

    def takes(self, request: Request) -> bool:
        """Tell whether the rule strikes this request, and count it."""
        if not self._fits(request) or self.times == self.struck:
            return False
        self.passes -= 1
        self.struck += self.passes < 0
        return self.passes < 0

    def _fits(self, request: Request) -> bool:
        call = request.headers.get("X-Amz-Target", "")
        return (
            self.method in {"", request.method}
            and re.search(self.key, request.path) is not None
            and (re.search(self.call, call) is not None if self.call else not call)
        )


class Proxy:
    """Forward everything to the upstream server, except where a rule strikes.

    :param upstream: its address, such as `http://127.0.0.1:5000`.
    :param rules: what goes wrong; tests put theirs in.
    :param seen: method, path and query of every request.
    """

    def __init__(self, upstream: str) -> None:
        self.rules: list[Rule] = []
        self.seen: list[tuple[str, str, str]] = []
        self._upstream = upstream.rstrip("/")
        self._pool = urllib3.PoolManager(maxsize=8)
        self._lock = Lock()
        self._server = HttpServer(self._answer, "127.0.0.1", 0)

    @property
    def url(self) -> str:
        """Return the address that clients are given."""
        return f"http://127.0.0.1:{self._server.port}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()
        self._pool.clear()

    def add(self, act: Act, **where: Any) -> Rule:
        """Add a rule and return it: its `struck` tells how often it struck."""
        rule = Rule(act, **where)
        self.rules.append(rule)
        return rule

    def calm(self) -> None:
        """Forward everything from now on, and forget what was seen."""
        with self._lock:
            self.rules = []
            self.seen = []

    def _answer(self, request: Request) -> Response:
        with self._lock:
            self.seen.append((request.method, request.path, request.query))
            rule = next((rule for rule in self.rules if rule.takes(request)), None)
        return rule.act(request, self._forward) if rule else self._forward(request)

    def _forward(self, request: Request) -> Response:
        query = f"?{request.query}" if request.query else ""
        headers = {name: value for name, value in request.headers.items() if name.lower() != "expect"}
        answer = self._pool.urlopen(
            request.method,
            f"{self._upstream}{quote(request.path, safe='/-_.~=')}{query}",
            body=request.body or None,
            headers=headers,
            redirect=False,
            retries=False,
            decode_content=False,
        )
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in _OF_THE_HOP}
        # The server leaves the body of a HEAD out, and tells its length.
        body = bytes(int(answer.headers.get("Content-Length", 0))) if request.method == "HEAD" else answer.data
        return Response(answer.status, body, kept)


def refuse(status: int, code: str, message: str = "on purpose") -> Act:
    """Answer with an error of S3's instead of asking S3."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>".encode()
    return lambda _request, _forward: Response(status, body, {"Content-Type": "application/xml"})


def drop_request(_request: Request, _forward: Forward) -> Response:
    """Close the connection before the upstream has seen the request."""
    return Response(delivery=Delivery(hang_seconds=0))


def drop_reply(request: Request, forward: Forward) -> Response:
    """Let the upstream do it, and close the connection without a word."""
    forward(request)
    return Response(delivery=Delivery(hang_seconds=0))


def keep_silent(seconds: float) -> Act:
    """Let the upstream do it, and say nothing for so long: the client's patience ends first."""

    def act(request: Request, forward: Forward) -> Response:
        forward(request)
        return Response(delivery=Delivery(hang_seconds=seconds))

    return act


def cut_off(after_bytes: int) -> Act:
    """Close the connection in the middle of the body."""

    def act(request: Request, forward: Forward) -> Response:
        answer = forward(request)
        answer.delivery = Delivery(cut_after=after_bytes)
        return answer

    return act


def reset_after(after_bytes: int) -> Act:
    """Reset the connection in the middle of the body."""

    def act(request: Request, forward: Forward) -> Response:
        answer = forward(request)
        answer.delivery = Delivery(reset_after=after_bytes)
        return answer

    return act


def flip_reply(request: Request, forward: Forward) -> Response:
    """Change one bit of what the upstream sends."""
    answer = forward(request)
    assert isinstance(answer.body, bytes)
    answer.body = flip(answer.body)
    return answer


def first_do(what: Callable[[], object]) -> Act:
    """Let something happen before the upstream sees the request."""

    def act(request: Request, forward: Forward) -> Response:
        what()
        return forward(request)

    return act


def then_do(what: Callable[[], object]) -> Act:
    """Let something happen when the upstream has done it, and before the client hears of it."""

    def act(request: Request, forward: Forward) -> Response:
        answer = forward(request)
        what()
        return answer

    return act


def flip(body: bytes) -> bytes:
    """Change one bit in the middle."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :] if body else body
