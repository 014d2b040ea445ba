"""Everyday sign-ins: who, from where, with what, and how it ended."""

# ruff: noqa: PLR2004 - the shares of a made-up day
from __future__ import annotations

from dataclasses import dataclass
from random import Random

from sandbox.tenant.people import APPS, App, Cast, Device, Json, Person, Place, guid

_SUCCESS = {"errorCode": 0, "failureReason": "Other.", "additionalDetails": None}
_MFA_BY_CLAIM = {**_SUCCESS, "additionalDetails": "MFA requirement satisfied by claim in the token"}
_NO_CONSENT = (
    "The user or administrator has not consented to use the application with ID '{identifier}'{namePhrase}. "
    "Send an interactive authorization request for this user and resource."
)
_BLOCKED = "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."
_KEEP_SIGNED_IN = "This error occurred due to 'Keep me signed in' interrupt when the user was signing-in."
_FAILURES = (
    (50126, "Error validating credentials due to invalid username or password.", None),
    (50140, _KEEP_SIGNED_IN, None),
    (65001, _NO_CONSENT, None),
    (50074, "Strong Authentication is required.", "MFA required in Azure AD"),
    (50097, "Device authentication is required.", None),
    (50055, "The password is expired.", None),
    (53003, _BLOCKED, None),
)
#: Errors that are questions to the person; the success follows under the same correlation id.
_INTERRUPTS = frozenset({65001, 50140, 50097})
_FAILED = tuple(
    {"errorCode": code, "failureReason": reason, "additionalDetails": details} for code, reason, details in _FAILURES
)


def status_of(code: int) -> Json:
    """Return the status that goes with an AADSTS number of everyday life."""
    return next((status for status in _FAILED if status["errorCode"] == code), _SUCCESS)


@dataclass(frozen=True)
class Attempt:
    """Who tries to get in, from where and with what; one attempt may leave several records."""

    person: Person
    device: Device
    place: Place
    app: App
    address: str
    correlation: str


class SignInMaker:
    """Make one everyday sign-in after the other.

    Now and then the next one belongs to the same attempt: same person, same `correlationId`, as a consent prompt
    (65001) or a "keep me signed in" (50140) is followed by the success.
    """

    def __init__(self, cast: Cast, random: Random) -> None:
        self._cast = cast
        self._random = random
        self._unfinished: Attempt | None = None

    def make(self, instant: str) -> Json:
        """Return a sign-in of this instant."""
        attempt, self._unfinished = self._unfinished, None
        if attempt is not None:
            return sign_in(self._cast, guid(self._random), instant, attempt, _MFA_BY_CLAIM)
        attempt, status = self._attempt(), self._ending()
        if status["errorCode"] in _INTERRUPTS:
            self._unfinished = attempt
        return sign_in(self._cast, guid(self._random), instant, attempt, status)

    def _attempt(self) -> Attempt:
        number = self._random.random
        people = self._cast.people
        person = people[int(number() ** 1.6 * len(people))]
        place = person.places[int(number() * len(person.places))]
        return Attempt(
            person=person,
            device=person.devices[number() < 0.3],
            place=place,
            app=APPS[int(number() ** 1.8 * len(APPS))],
            address=f"{place.network}{_host(place, number())}",
            correlation=guid(self._random),
        )

    def _ending(self) -> Json:
        number = self._random.random()
        if number < 0.55:
            return _SUCCESS
        if number < 0.9:
            return _MFA_BY_CLAIM
        return _FAILED[int((number - 0.9) * 10 * len(_FAILED))]


def _host(place: Place, number: float) -> int:
    return int(number * 253) + 1 if place.host is None else place.host


def sign_in(cast: Cast, record_id: str, instant: str, attempt: Attempt, status: Json) -> Json:
    """Return a sign-in with the members and the order of Graph v1.0."""
    person, device, app = attempt.person, attempt.device, attempt.app
    return {
        "id": record_id[:-2] + "00",
        "createdDateTime": instant,
        "userDisplayName": person.name,
        "userPrincipalName": person.upn,
        "userId": person.id,
        "appId": app.id,
        "appDisplayName": app.name,
        "ipAddress": attempt.address,
        "clientAppUsed": device.client_app,
        "userAgent": device.user_agent,
        "correlationId": attempt.correlation,
        "conditionalAccessStatus": "success" if status["errorCode"] == 0 else "notApplied",
        "isInteractive": True,
        "riskDetail": "none",
        "riskLevelAggregated": "none",
        "riskLevelDuringSignIn": "none",
        "riskState": "none",
        "riskEventTypes": [],
        "riskEventTypes_v2": [],
        "resourceDisplayName": app.resource,
        "resourceId": app.resource_id,
        "resourceTenantId": cast.tenant_id,
        "homeTenantId": cast.tenant_id,
        "servicePrincipalId": "",
        "servicePrincipalName": None,
        "status": status,
        "deviceDetail": device.detail,
        "location": attempt.place.location,
        "appliedConditionalAccessPolicies": cast.policies,
        "authenticationAppDeviceDetails": None,
    }
