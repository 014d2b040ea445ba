"""Tokens for Graph, fetched by MSAL as the application itself.

MSAL gets them from the login service and keeps them until five minutes before they end. What it does
besides is undone here: it would answer a repeated request from memory (an HTTP 400 for 60 seconds, a
429 or 5xx for as long as `Retry-After` says), and it logs an unreadable token answer word for word.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

import msal

from entra_lake.answers import Answer
from entra_lake.connections import GraphConnection
from entra_lake.errors import EntraLakeError, GraphUnavailableError, ThrottledError
from entra_lake.login_errors import authority_useless, discovery_refused, login_redirected, token_refused
from entra_lake.patience import Patience
from entra_lake.transport import Transport

_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,65536}")


class AccessTokens:
    """The application's tokens for one Graph; safe for threads.

    :param transport: how to reach the login service.
    :param patience: makes the waits between tries; a new one for each token.
    :param on_token: is told each new token, so that logs can be masked.
    """

    def __init__(
        self,
        connection: GraphConnection,
        transport: Transport,
        *,
        patience: Callable[[], Patience],
        on_token: Callable[[str], None] | None = None,
    ) -> None:
        self._connection = connection
        self._login = _LoginService(connection, transport)
        self._patience = patience
        self._on_token = on_token
        self._lock = threading.Lock()
        self._application: Any = None
        self._told = ""

    def get(self) -> str:
        """Return a token that is valid for some minutes more.

        :raises CredentialError: when the login service refuses the application.
        :raises GraphUnavailableError: when it gave no usable answer, several times.
        """
        with self._lock:
            return self._fetch(None)

    def renew(self, claims: str | None) -> str:
        """Fetch a new token in place of one that Graph refused before its time.

        :param claims: what Graph wants the new token to prove, as JSON; see `claims_of`.
        :raises CredentialError: when the login service refuses the application.
        :raises GraphUnavailableError: when it gave no usable answer, several times.
        """
        with self._lock:
            self._application = None
            return self._fetch(claims)

    def _fetch(self, claims: str | None) -> str:
        patience = self._patience()
        while True:
            outcome = self._try(claims)
            if isinstance(outcome, str):
                break
            patience.wait(outcome, self._login.retry_after)
        if outcome != self._told and self._on_token:
            self._on_token(outcome)
        self._told = outcome
        return outcome

    def _try(self, claims: str | None) -> str | EntraLakeError:
        """Return a token, or the error that may pass.

        :raises FatalError: when it will not pass.
        """
        error: Exception | None = None
        result: Mapping[str, Any] = {}
        self._login.forget()
        try:
            result = self._ask_msal(claims)
        except (_NoLoginAnswerError, msal.exceptions.MsalError, ValueError, RuntimeError, KeyError) as caught:
            error = caught
        token = result.get("access_token")
        if isinstance(token, str) and _TOKEN.fullmatch(token):
            return token
        self._application = None  # and with it what MSAL would replay
        if isinstance(error, ValueError) and not self._login.was_asked:
            raise authority_useless(self._connection)
        if not self._login.has_refused:
            return self._unavailable()
        if error is not None:
            raise discovery_refused(self._connection, self._login.body)
        return self._raise_or_return(token_refused(self._connection, result))

    def _ask_msal(self, claims: str | None) -> Mapping[str, Any]:
        if self._application is None:
            self._application = msal.ConfidentialClientApplication(
                self._connection.client_id,
                client_credential=self._connection.client_secret,
                authority=self._connection.authority,
                client_capabilities=["CP1"],
                # Else MSAL asks login.microsoftonline.com about any authority that it does not know.
                instance_discovery=False,
                azure_region=False,
                http_client=self._login,
            )
        scopes = [f"{self._connection.graph_url}/.default"]
        answer: Mapping[str, Any] = self._application.acquire_token_for_client(scopes, claims_challenge=claims)
        return answer

    def _raise_or_return(self, error: EntraLakeError) -> EntraLakeError:
        if isinstance(error, (GraphUnavailableError, ThrottledError)):
            return error
        raise error

    def _unavailable(self) -> GraphUnavailableError:
        return GraphUnavailableError(
            f"Connection {self._connection.conn_id!r}: the login service gave no usable answer: {self._login.problem}."
        )


class _NoLoginAnswerError(Exception):
    """The login service gave no answer that MSAL should see."""


class _LoginResponse:
    """An answer in the form that MSAL reads."""

    def __init__(self, answer: Answer) -> None:
        self.status_code = answer.status
        self.headers = dict(answer.headers)
        self.text = answer.body.decode("utf-8", "replace")

    def raise_for_status(self) -> None:
        """Raise where MSAL expects it for 5xx."""
        if self.status_code >= 400:  # noqa: PLR2004
            raise _NoLoginAnswerError


class _LoginService:
    """The HTTP client that MSAL is given; it remembers the last answer, for MSAL hides the reasons."""

    def __init__(self, connection: GraphConnection, transport: Transport) -> None:
        self._connection = connection
        self._transport = transport
        self.forget()

    def forget(self) -> None:
        """Forget the last answer, before MSAL is asked again: it may answer from its cache."""
        self.was_asked = self.has_refused = False
        self.body = b""
        self.problem = ""
        self.retry_after: float | None = None

    def get(self, url: str, headers: Mapping[str, str] | None = None, **_: object) -> _LoginResponse:
        """Answer MSAL's look-up of the tenant."""
        return self._send("GET", url, headers, None)

    def post(
        self,
        url: str,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **_: object,
    ) -> _LoginResponse:
        """Answer MSAL's demand for a token."""
        return self._send("POST", url, headers, data)

    def close(self) -> None:
        """Do nothing: the transport is closed by its owner."""

    def _send(
        self, method: str, url: str, headers: Mapping[str, str] | None, form: Mapping[str, str] | None
    ) -> _LoginResponse:
        answer = self._transport.send(method, url, str(uuid.uuid4()), headers or {}, form)
        self.was_asked = True
        self.body, self.problem = answer.body, answer.problem or f"HTTP {answer.status}"
        self.retry_after = answer.retry_after()
        if answer.is_redirect:
            raise login_redirected(self._connection)
        if answer.problem or not _is_json_object(answer.body):
            # MSAL would log the text, and a token that was cut off is still a token.
            self.problem = answer.problem or f"HTTP {answer.status} without a JSON object"
            raise _NoLoginAnswerError
        self.has_refused = answer.is_refusal
        return _LoginResponse(answer)


def claims_of(challenge: str) -> str | None:
    """Return what a `WWW-Authenticate` header wants a new token to prove, as JSON; None if nothing.

    Continuous access evaluation ends a token before its time in this way.
    """
    match = re.search(r'\bclaims="([A-Za-z0-9+/_=-]+)"', challenge)
    if not match:
        return None
    text = match[1].rstrip("=").replace("-", "+").replace("_", "/")
    try:
        claims = base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode("utf-8")
        return claims if isinstance(json.loads(claims), dict) else None
    except ValueError:
        return None


def read_claims(token: str) -> Mapping[str, Any]:
    """Return what a token says of itself, unchecked and for display only; nothing if it is opaque."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, IndexError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _is_json_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False
