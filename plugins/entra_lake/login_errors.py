"""What the login service's refusals mean, and what to do about each."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from entra_lake.connections import GraphConnection
from entra_lake.errors import (
    ConfigurationError,
    CredentialError,
    EntraLakeError,
    GraphUnavailableError,
    UntrustedLinkError,
)
from entra_lake.redaction import quote

#: AADSTS numbers: https://learn.microsoft.com/entra/identity-platform/reference-error-codes
_REMEDIES: Final[Mapping[int, str]] = {
    7000215: "The client secret is wrong. Put the secret's value (not the secret's id) into the connection's password.",
    7000222: "The client secret has expired. Create a new one for the application and put it into the connection.",
    7000218: "The client secret is missing. Put the secret's value into the connection's password.",
    7000112: "The application is disabled. Have an administrator enable it under Enterprise applications.",
    700016: "The tenant does not know the application. Check the connection's login (application id) and tenant_id.",
    700027: "The certificate is not registered with the application. Upload it there, or use another one.",
    90002: "There is no such tenant. Check the connection's tenant_id, and its authority if it is a national cloud.",
    900023: "The tenant's name is malformed. Put the tenant's GUID or domain into the connection's tenant_id.",
    70011: "The login service does not know this Graph. Check the connection's graph_url.",
    500011: "The login service does not know this Graph. Check the connection's graph_url, and its authority.",
    53003: "A Conditional Access policy blocks the application. Have an administrator exclude it or its address.",
}
#: Numbers that stand for a disturbance of the service itself.
_PASSING: Final = frozenset({90033, 90036, 90090, 50196})
_OTHER: Final = "Check the connection's login, password and tenant_id."
_NUMBER: Final = re.compile(r"AADSTS(\d{4,8})")


def token_refused(connection: GraphConnection, result: Mapping[str, Any]) -> EntraLakeError:
    """Return the error for an answer without a token: fatal, unless the service itself is disturbed."""
    description = str(result.get("error_description") or result.get("error") or "no reason given")
    number = _number(result.get("error_codes"), description)
    said = quote(description, secrets=(connection.client_secret,))
    if number in _PASSING or result.get("error") == "temporarily_unavailable":
        return GraphUnavailableError(
            f"Connection {connection.conn_id!r}: the login service is disturbed (AADSTS{number}): {said}"
        )
    return _credential_error(connection, number, said)


def discovery_refused(connection: GraphConnection, body: bytes) -> CredentialError:
    """Return the error for a tenant that the login service does not know; MSAL keeps the reason to itself."""
    try:
        document = json.loads(body)
    except ValueError:
        document = {}
    description = str(document.get("error_description") or "the address of the authority is not valid")
    number = _number(document.get("error_codes"), description)
    return _credential_error(connection, number, quote(description, secrets=(connection.client_secret,)))


def authority_useless(connection: GraphConnection) -> ConfigurationError:
    """Return the error for an authority that nothing can be sent to."""
    message = (
        f"Connection {connection.conn_id!r}: its authority is no address of a tenant. "
        "Write https://login.microsoftonline.com/<tenant id>, or leave it out."
    )
    return ConfigurationError(message)


def login_redirected(connection: GraphConnection) -> UntrustedLinkError:
    """Return the error for a redirect: the client secret would travel with it."""
    message = (
        f"Connection {connection.conn_id!r}: the login service redirects to another address, which was not followed. "
        "Check the connection's authority, and who answers in its place."
    )
    return UntrustedLinkError(message)


def _credential_error(connection: GraphConnection, number: int | None, said: str) -> CredentialError:
    name = f"AADSTS{number}" if number else "no AADSTS number"
    remedy = _REMEDIES.get(number or 0, _OTHER)
    message = (
        f"Connection {connection.conn_id!r}: the login service refused application {connection.client_id} ({name}). "
        f"{remedy} It said: {said}"
    )
    return CredentialError(message)


def _number(codes: object, description: str) -> int | None:
    if isinstance(codes, list) and codes and isinstance(codes[0], int):
        return codes[0]
    match = _NUMBER.search(description)
    return int(match[1]) if match else None
