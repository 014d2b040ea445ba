"""The login service's refusals, by their AADSTS numbers."""

from __future__ import annotations

from typing import NamedTuple


class Refusal(NamedTuple):
    """How a mistake is answered; the text may name `{app}`, `{tenant}` and `{grant}`."""

    status: int
    error: str
    text: str


REFUSALS = {
    7000215: Refusal(
        401,
        "invalid_client",
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
        "not the client secret ID, for a secret added to app '{app}'.",
    ),
    7000222: Refusal(
        401,
        "invalid_client",
        "The provided client secret keys for app '{app}' are expired. Visit the Azure portal to create new keys for "
        "your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: "
        "https://aka.ms/certCreds.",
    ),
    7000218: Refusal(
        401,
        "invalid_client",
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    ),
    700016: Refusal(
        400,
        "unauthorized_client",
        "Application with identifier '{app}' was not found in the directory '{tenant}'. This can happen if the "
        "application has not been installed by the administrator of the tenant or consented to by any user in the "
        "tenant. You may have sent your authentication request to the wrong tenant.",
    ),
    90002: Refusal(
        400,
        "invalid_tenant",
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the "
        "correct cloud. Check with your subscription administrator, this may happen if there are no active "
        "subscriptions for the tenant.",
    ),
    70011: Refusal(400, "invalid_scope", "The provided value for the input parameter 'scope' is not valid."),
    70003: Refusal(400, "unsupported_grant_type", "The app requested an unsupported grant type '{grant}'."),
    90033: Refusal(503, "temporarily_unavailable", "A transient error has occurred. Please try again."),
}


class LoginError(Exception):
    """A refusal with its AADSTS number and the facts for its text."""

    def __init__(self, number: int, **facts: str) -> None:
        super().__init__(number)
        self.number = number
        self.facts = facts
