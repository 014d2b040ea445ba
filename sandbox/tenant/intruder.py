"""The intruder's side of the story: machines, places, the malicious application, and how attempts end."""

from __future__ import annotations

from sandbox.tenant.people import APPS, App, Device, Place

MAIL_APP = App(
    "5b1ddc0e-6a10-4d0e-9e0b-51a0c1ab7e57", "Mail Backup Pro", "00000003-0000-0000-c000-000000000000", "Microsoft Graph"
)
PORTAL = APPS[5]

_NOWHERE = {"deviceId": "", "displayName": "", "isCompliant": False, "isManaged": False, "trustType": ""}
LEGACY = Device({**_NOWHERE, "operatingSystem": "", "browser": "Rich Client 4.0.0.0"}, "BAV2ROPC", "IMAP4")
SPRAYER = Device(
    {**_NOWHERE, "operatingSystem": "Linux", "browser": "Python Requests 2.31"}, "python-requests/2.31.0", "Browser"
)
INTRUDER = Device(
    {**_NOWHERE, "operatingSystem": "Windows10", "browser": "Chrome 119.0.0"},
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36",
    "Browser",
)


def _hosting(city: str, country: str, latitude: float, longitude: float, network: str) -> Place:
    coordinates = {"altitude": None, "latitude": latitude, "longitude": longitude}
    return Place({"city": city, "state": city, "countryOrRegion": country, "geoCoordinates": coordinates}, network)


SPRAY_FROM = (
    _hosting("Amsterdam", "NL", 52.37403, 4.88969, "203.0.113.17"),
    _hosting("Singapore", "SG", 1.28967, 103.85007, "203.0.113.38"),
    _hosting("Reykjavik", "IS", 64.13548, -21.89541, "203.0.113.52"),
)
ATTACKER = _hosting("Chisinau", "MD", 47.00556, 28.8575, "203.0.113.66")

NOT_FOUND = {
    "errorCode": 50034,
    "failureReason": "The user account does not exist in the directory.",
    "additionalDetails": None,
}
LOCKED = {
    "errorCode": 50053,
    "failureReason": "Sign-in was blocked because it came from an IP address with malicious activity.",
    "additionalDetails": None,
}
DENIED = {
    "errorCode": 500121,
    "failureReason": "Authentication failed during strong authentication request.",
    "additionalDetails": "MFA denied; user declined the authentication",
}
ACCEPTED = {"errorCode": 0, "failureReason": "Other.", "additionalDetails": "MFA completed in Azure AD"}
HIGH = {
    "riskState": "atRisk",
    "riskLevelAggregated": "high",
    "riskLevelDuringSignIn": "high",
    "riskEventTypes_v2": ["unfamiliarFeatures", "maliciousIPAddress"],
}
COMPROMISED = {**HIGH, "riskState": "confirmedCompromised", "riskDetail": "adminConfirmedUserCompromised"}
