"""Faults instead of an answer: what Graph says when it does not serve a page."""

# ruff: noqa: EM101, TRY003 - the texts are Graph's
from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

from sandbox.tenant import errors
from sandbox.tenant.errors import GraphError
from sandbox.tenant.faults import Fault
from sandbox.web import Delivery, Response

_HTML = (
    b"<!DOCTYPE html><html><head><title>Proxy</title></head><body><h1>SIMULATED proxy: please log in</h1></body></html>"
)
_WORDS = {
    429: ("TooManyRequests", "Too Many Requests"),
    500: ("generalException", "An internal server error occurred."),
    502: ("BadGateway", "Bad gateway."),
    503: ("ServiceUnavailable", "The service is temporarily unavailable."),
    504: ("GatewayTimeout", "The gateway timed out."),
}


def refuse(fault: Fault, now: datetime, top: str = "1000") -> Response:
    """Return the answer of a fault, or raise it.

    :param now: the sandbox's time.
    :param top: the page size that was asked for.
    :raises GraphError: when the answer is one of Graph's own.
    """
    return _REFUSALS[fault.kind]({"top": top, "now": now, **fault.details})


def _status(details: dict[str, Any]) -> Response:
    status = int(details.get("status", 503))
    code, message = _WORDS.get(status, ("UnknownError", ""))
    headers = retry_after(details.get("retry_after"), details["now"])
    raise GraphError(status, details.get("code", code), details.get("message", message), headers)


def retry_after(wanted: Any, now: datetime) -> dict[str, str]:
    """Return the header as it was asked for: a number, any text, or a date so many seconds ahead."""
    if wanted is None:
        return {}
    if isinstance(wanted, dict):
        moment = now + timedelta(seconds=float(wanted["date_in"]))
        return {"Retry-After": format_datetime(moment, usegmt=True)}
    return {"Retry-After": str(wanted)}


def _raiser(make: Callable[[], GraphError]) -> Callable[[dict[str, Any]], Response]:
    def refuse_so(_details: dict[str, Any]) -> Response:
        raise make()

    return refuse_so


def _token_expired(_details: dict[str, Any]) -> Response:
    raise errors.token_refused("Lifetime validation failed, the token is expired.")


def _claims_challenge(details: dict[str, Any]) -> Response:
    not_before = str(int(details["now"].timestamp()))
    claims = {"access_token": {"nbf": {"essential": True, "value": not_before}}}
    encoded = base64.b64encode(json.dumps(claims).encode()).decode()
    error = errors.token_refused("Continuous access evaluation resulted in claims challenge")
    error.headers["WWW-Authenticate"] = (
        'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", '
        f'error="insufficient_claims", claims="{encoded}"'
    )
    raise error


def _missing_permission(details: dict[str, Any]) -> Response:
    raise errors.missing_permission(details.get("permission", "AuditLog.Read.All"))


def _gone(_details: dict[str, Any]) -> Response:
    raise GraphError(410, "Gone", "The listing is gone. Begin again.")


def _page_size_refused(details: dict[str, Any]) -> Response:
    raise errors.page_size_refused(details["top"], int(details.get("largest", 999)))


def _redirect(details: dict[str, Any]) -> Response:
    location = details.get("location", "https://graph.microsoft.com.invalid/")
    return Response(int(details.get("status", 302)), b"", {"Location": location})


def _html(_details: dict[str, Any]) -> Response:
    return Response(200, _HTML, {"Content-Type": "text/html; charset=utf-8"})


def _error_in_200(_details: dict[str, Any]) -> Response:
    body = {"error": {"code": "UnknownError", "message": "Something went wrong.", "innerError": {}}}
    return Response(200, json.dumps(body).encode(), {"Content-Type": "application/json"})


def _empty_body(_details: dict[str, Any]) -> Response:
    return Response(200, b"", {"Content-Type": "application/json"})


def _hang(details: dict[str, Any]) -> Response:
    return Response(delivery=Delivery(hang_seconds=float(details.get("seconds", 60))))


_REFUSALS: dict[str, Callable[[dict[str, Any]], Response]] = {
    "status": _status,
    "token_expired": _token_expired,
    "token_revoked": _token_expired,
    "claims_challenge": _claims_challenge,
    "not_premium": _raiser(errors.not_premium),
    "missing_permission": _missing_permission,
    "skiptoken_invalid": _raiser(errors.skiptoken_invalid),
    "skiptoken_null": _raiser(errors.skiptoken_null),
    "gone": _gone,
    "page_size_refused": _page_size_refused,
    "redirect": _redirect,
    "html": _html,
    "error_in_200": _error_in_200,
    "empty_body": _empty_body,
    "hang": _hang,
}
