"""When a record becomes visible, and how it changes afterwards; both a pure function of its random stream.

The mixture follows what was published and seen: 95 % within two minutes, 99 % within five, nearly all within two
hours, one in a thousand up to five days. Risk and MFA details are filled in late, and sometimes taken back.
"""

# ruff: noqa: PLR2004 - the shares of a made-up day
from __future__ import annotations

from random import Random

from sandbox import ticks
from sandbox.tenant.people import Json

#: share of records up to here, shortest and longest delay in seconds
DELAYS = ((0.95, 3, 120), (0.99, 120, 300), (0.999, 300, 7_200), (1.0, 7_200, 432_000))

_AT_RISK = {
    "riskState": "atRisk",
    "riskDetail": "none",
    "riskLevelAggregated": "low",
    "riskLevelDuringSignIn": "low",
    "riskEventTypes_v2": ["unfamiliarFeatures"],
}
_REMEDIATED = {**_AT_RISK, "riskState": "remediated", "riskDetail": "userPerformedSecuredPasswordReset"}
_DISMISSED = {**_AT_RISK, "riskState": "dismissed", "riskDetail": "m365DAdminDismissedDetection"}
_MFA_DONE = {
    "errorCode": 0,
    "failureReason": "Other.",
    "additionalDetails": "MFA completed in Azure AD",
}


def delay(random: Random) -> int:
    """Return the ticks between an event and its first appearance."""
    share = random.random()
    shortest, longest = next((shortest, longest) for bound, shortest, longest in DELAYS if share < bound)
    return int((shortest + random.random() * (longest - shortest)) * ticks.SECOND)


def later_versions(random: Random, record: Json) -> list[tuple[int, Json]]:
    """Return (ticks after the first appearance, content) of each later version; most records have none."""
    share = random.random()
    if share > 0.03:
        return []
    if "riskState" in record:
        return _risk_versions(share / 0.03, record)
    if "resultReason" in record:
        amended = {**record, "resultReason": "Amended after aggregation"}
        changes = [(ticks.HOUR, amended)]
        return [*changes, (2 * ticks.DAY, record)] if share < 0.01 else changes
    return []


def _risk_versions(share: float, record: Json) -> list[tuple[int, Json]]:
    at_risk = {**record, **_AT_RISK}
    if share < 0.4:
        return [(ticks.HOUR, {**record, "status": _MFA_DONE} if record.get("status") else at_risk)]
    if share < 0.6:
        return [(ticks.HOUR, at_risk)]
    if share < 0.75:
        return [(ticks.HOUR, at_risk), (2 * ticks.DAY, {**record, **_REMEDIATED})]
    if share < 0.9:
        # Taken back: the content is again what it was, A → B → A.
        return [(ticks.HOUR, at_risk), (2 * ticks.DAY, record)]
    return [
        (ticks.HOUR, at_risk),
        (2 * ticks.DAY, {**record, **_REMEDIATED}),
        (20 * ticks.DAY, {**record, **_DISMISSED}),
    ]
