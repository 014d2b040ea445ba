"""What real logs hold beside what their documentation says; applied to a few records in a hundred."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from sandbox.tenant.people import Json, guid

#: Share of records that are odd in some way.
RATE = 0.05

_Oddity = Callable[[Random, Json], None]


def disturb(random: Random, record: Json) -> Json:
    """Return the record, or an odd copy of it."""
    if random.random() >= RATE:
        return record
    odd = dict(record)
    if "initiatedBy" in record:
        oddities = _AUDIT_ODDITIES
    elif "clientAppUsed" in record:
        oddities = _SIGN_IN_ODDITIES
    else:
        oddities = _ANY_ODDITIES
    oddities[int(random.random() * len(oddities))](random, odd)
    return odd


_ATTACKS = (
    "<img src=x onerror=alert(document.domain)>",
    "'; DROP TABLE sign_ins_history; --",
    '=cmd|"/c calc"!A1',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "gnp.exe\u202egpj.txt",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "line one\nline two\r\nSet-Cookie: a=b",
    'tab\tquote"back\\slash\u2028separator\x00nul',
    "\ud83d broken emoji \ud800",
    "👩‍👩‍👧‍👦 " + "long " * 400,
)


def _members(**changes: object) -> _Oddity:
    return lambda _random, record: record.update(changes)


def _mask_address(_random: Random, record: Json) -> None:
    record["ipAddress"] = str(record["ipAddress"]).rsplit(".", 1)[0] + ".XXX"


def _attack(random: Random, record: Json) -> None:
    record["userAgent"] = random.choice(_ATTACKS)


def _forget(random: Random, record: Json) -> None:
    record.pop(
        random.choice(("userAgent", "servicePrincipalName", "riskDetail", "resourceTenantId", "status", "location"))
    )


def _nothing(random: Random, record: Json) -> None:
    record[random.choice(("userAgent", "deviceDetail", "location", "appliedConditionalAccessPolicies", "userId"))] = (
        None
    )


def _blank(random: Random, record: Json) -> None:
    record[random.choice(("userPrincipalName", "userAgent", "clientAppUsed", "ipAddress", "resourceId"))] = ""


_RESULTS = ("success", "failure", "notApplied", "notEnabled", "reportOnlySuccess", "reportOnlyFailure")


def _many_policies(random: Random, record: Json) -> None:
    record["appliedConditionalAccessPolicies"] = [
        {
            "id": guid(random),
            "displayName": f"Policy {number} – “baseline”",
            "enforcedGrantControls": ["Mfa"] if number % 2 else [],
            "enforcedSessionControls": [],
            "result": _RESULTS[number % len(_RESULTS)],
            "conditionsSatisfied": "application,users",
        }
        for number in range(55)
    ]  # fmt: skip


def _guid_name(random: Random, record: Json) -> None:
    record["userPrincipalName"] = guid(random)


def _wrong_type(random: Random, record: Json) -> None:
    record.update(
        random.choice(
            (
                {"appDisplayName": 365},
                {"isInteractive": "true"},
                {"location": "Freiburg"},
                {"riskEventTypes_v2": "none"},
                {"status": {"errorCode": "50126", "failureReason": None}},
                {
                    "status": {
                        "errorCode": 4294967296000,
                        "failureReason": "64 bits",
                        "additionalDetails": {"a": [1.0, 1e3]},
                    }
                },
                {"userDisplayName": {"first": "Ingrid", "last": None}},
            )
        )
    )


def _whole_degrees(random: Random, record: Json) -> None:
    coordinates = random.choice(({"latitude": 48, "longitude": 8}, {"latitude": 1.0, "longitude": -0.0}, {}))
    record["location"] = {"city": "", "state": None, "countryOrRegion": "DE", "geoCoordinates": coordinates}


def _unknown_members(random: Random, record: Json) -> None:
    record["networkLocationDetails"] = [{"networkType": "trustedNamedLocation", "networkNames": ["Home"]}]
    record["futureMember"] = random.choice((None, "", 0, {}, [], {"deep": {"deeper": [[1], {"": None}]}}))


_AUTHENTICATOR = {"deviceId": None, "appVersion": "6.2410", "clientApp": "x", "operatingSystem": "Android 14"}
_SIGN_IN_ODDITIES: tuple[_Oddity, ...] = (
    _mask_address,
    _attack,
    _attack,
    _forget,
    _nothing,
    _blank,
    _many_policies,
    _guid_name,
    _wrong_type,
    _whole_degrees,
    _unknown_members,
    _members(userDisplayName="PII Removed", userPrincipalName="PII Removed"),
    _members(servicePrincipalId="00000000-0000-0000-0000-000000000000"),
    _members(status={}, deviceDetail={}, location={}),
    _members(clientAppUsed="brandNewClient", riskState="brandNewState"),
    _members(authenticationAppDeviceDetails=_AUTHENTICATOR),
)


def _lengthen_id(_random: Random, record: Json) -> None:
    record["id"] = f"Invited Users_{record['id']}"


_NO_APP = {"appId": None, "displayName": None, "servicePrincipalId": None, "servicePrincipalName": ""}
_ODD_USER = {"id": None, "displayName": "", "userPrincipalName": "<b>root</b>", "userType": 1}
_ODD_TARGETS = [
    {"id": None, "modifiedProperties": None},
    {"id": "x y", "displayName": 5, "modifiedProperties": [{"displayName": None}]},
]
_AUDIT_ODDITIES: tuple[_Oddity, ...] = (
    _lengthen_id,
    _unknown_members,
    _members(initiatedBy={}),
    _members(initiatedBy={"app": _NO_APP, "user": None}),
    _members(initiatedBy={"user": _ODD_USER, "app": None}),
    _members(targetResources=[]),
    _members(targetResources=None, additionalDetails=None),
    _members(targetResources=_ODD_TARGETS),
    _members(activityDisplayName="Consent to application ", result="timeout", resultReason=None),
    _members(additionalDetails=[{"key": "User-Agent", "value": _ATTACKS[0]}, {"key": None}, {}]),
    _members(result="success, partly", category=""),
    _members(correlationId=None, loggedByService=None, operationType=""),
)

_ANY_ODDITIES: tuple[_Oddity, ...] = (_unknown_members,)
