"""What audits of real directories carry beside the simulated tenant's: long lists of what a change touched.

A licence that changes writes down every service plan before and after; a changed user, the time of the last
synchronisation and what depends on it; and each audit, the client that asked for it.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any
from uuid import UUID
from zlib import crc32

Json = dict[str, Any]
_PLANS = tuple(str(UUID(int=Random(f"plan/{number}").getrandbits(128))) for number in range(40))
_INSTANCES = (
    "exchange/namprd03-012-01",
    "SharePoint/EMEA",
    "MicrosoftOffice/Default",
    "AADPremiumService/EU",
    "SCO/EU",
)
_AGENTS = (
    "EvoSTS",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{0}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.{1} Safari",
    "Microsoft.OData.Client/7.{1}.0",
)


def detailed(body: bytes) -> bytes:
    """Return an audit's bytes with the details that a real one has; odd ones may lack what carries them."""
    record = json.loads(body)
    if not isinstance(record.get("targetResources"), list):
        return body
    random = Random(crc32(record["id"].encode()))
    agent = random.choice(_AGENTS).format(random.randrange(118, 131), random.randrange(6))
    record["additionalDetails"] = [{"key": "User-Agent", "value": agent}]
    for target in record["targetResources"]:
        if target.get("type") == "User" and isinstance(target.get("modifiedProperties"), list):
            target["modifiedProperties"] += _of_user(random, record)
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()


def _of_user(random: Random, record: Json) -> list[Json]:
    moment = str(record["activityDateTime"])
    if "license" in record["activityDisplayName"]:
        plans = random.sample(_PLANS, 6)
        return [_changed("AssignedPlan", _assigned(plans[:3], moment), _assigned(plans, moment))]
    synced = f"{moment[:11]}0{random.randrange(10)}:{random.randrange(10, 60)}:00Z"
    return [
        _changed("LastDirSyncTime", [synced], [moment]),
        _changed("TargetId.UserType", None, "Member"),
        _changed("StsRefreshTokensValidFrom", [synced], [moment]),
    ]


def _assigned(plans: list[str], moment: str) -> list[Json]:
    return [
        {
            "SubscribedPlanId": plan,
            "ServiceInstance": _INSTANCES[place % len(_INSTANCES)],
            "CapabilityStatus": 0,
            "AssignedTimestamp": moment,
            "ServicePlanId": _PLANS[-place],
        }
        for place, plan in enumerate(plans)
    ]


def _changed(name: str, old: Any, new: Any) -> Json:
    return {"displayName": name, "oldValue": None if old is None else json.dumps(old), "newValue": json.dumps(new)}
