"""Everyday changes in the directory: users, groups, applications, devices."""

# ruff: noqa: PLR2004 - the shares of a made-up day
from __future__ import annotations

import json
from random import Random
from typing import Any, NamedTuple

from sandbox.tenant.people import Cast, Json, Person, guid


class Activity(NamedTuple):
    """What can be done in a directory, and which service writes it down.

    :param changed: name, old and new value of a property that changes with it.
    """

    name: str
    category: str
    operation: str
    service: str = "Core Directory"
    target: str = ""
    changed: tuple[str, Any, Any] | None = None


_NEW_KEY: tuple[str, Any, Any] = ("KeyDescription", [], ["[KeyType=Password,KeyUsage=Verify]"])
#: Trailing blank and en dash are Microsoft's.
KEY_ADDED = Activity(
    "Update application – Certificates and secrets management ",
    "ApplicationManagement",
    "Update",
    target="Application",
    changed=_NEW_KEY,
)
#: Everyday life: a secret that has run out is taken away.
_KEY_REMOVED = KEY_ADDED._replace(changed=(_NEW_KEY[0], _NEW_KEY[2], []))
_CORE, _RESET, METHODS = "Core Directory", "Self-service Password Management", "Authentication Methods"
#: The common ones first: what stands last is seldom.
_ACTIVITIES = (
    Activity("Update user", "UserManagement", "Update", _CORE, "User", ("JobTitle", [""], ["Gardener"])),
    Activity("Change user license", "UserManagement", "Update", _CORE, "User", ("AssignedLicense", [], ["SPB"])),
    Activity("Add member to group", "GroupManagement", "Assign", _CORE, "Group", ("Group.DisplayName", None, "Shop")),
    Activity("Remove member from group", "GroupManagement", "Unassign", _CORE, "Group"),
    Activity("Update service principal", "ApplicationManagement", "Update", _CORE, "ServicePrincipal"),
    Activity("Register device", "Device", "Add", "Device Registration Service", "Device", ("Enabled", [], [True])),
    Activity("Change password (self-service)", "UserManagement", "Update", _RESET, "User"),
    _KEY_REMOVED,
    Activity("Update policy", "Policy", "Update", _CORE, "Policy", ("StsPolicy", "False", "True")),
    Activity("Add eligible member to role in PIM completed (permanent)", "RoleManagement", "Add", "PIM", "Role"),
    Activity("User registered security info", "UserManagement", "Create", METHODS, "User"),
    Activity("Invite external user", "UserManagement", "Add", "Invited Users", "User"),
)
_ID_PREFIXES = {
    "Core Directory": "Directory",
    "Device Registration Service": "Device Registration Service",
    "PIM": "PIM",
}


class DirectoryAuditMaker:
    """Make one everyday directory audit after the other; some share the `correlationId` of the one before."""

    def __init__(self, cast: Cast, random: Random) -> None:
        self._cast = cast
        self._random = random
        self._correlation = guid(random)
        self._serial = 0

    def make(self, instant: str) -> Json:
        """Return an audit of this instant."""
        random = self._random
        if random.random() < 0.8:
            self._correlation = guid(random)
        activity = _ACTIVITIES[int(random.random() ** 2 * len(_ACTIVITIES))]
        people = self._cast.people
        actor = people[int(random.random() ** 2 * len(people))]
        subject = people[int(random.random() * len(people))]
        self._serial += 1
        record_id = (
            f"{audit_id_prefix(activity.service)}_{self._correlation}_{random.getrandbits(20):05X}_{self._serial}"
        )
        return {
            "id": record_id,
            **_outline(activity, instant, self._correlation),
            "initiatedBy": initiated_by(self._cast, random, actor),
            "targetResources": [_everyday_target(activity, subject, random)],
            "additionalDetails": [{"key": "User-Agent", "value": "EvoSTS"}],
        }


def _outline(activity: Activity, instant: str, correlation: str) -> Json:
    return {
        "category": activity.category,
        "correlationId": correlation,
        "result": "success",
        "resultReason": "",
        "activityDisplayName": activity.name,
        "activityDateTime": instant,
        "loggedByService": activity.service,
        "operationType": activity.operation,
    }


def directory_audit(record_id: str, activity: Activity, instant: str, initiator: Json, targets: list[Json]) -> Json:
    """Return an audit with the members and the order of Graph v1.0; its id holds its correlation id."""
    return {
        "id": record_id,
        **_outline(activity, instant, record_id.split("_")[1]),
        "initiatedBy": initiator,
        "targetResources": targets,
        "additionalDetails": [],
    }


def audit_id_prefix(service: str) -> str:
    """Return how ids of this service begin; not every id is a GUID, and some hold blanks."""
    return _ID_PREFIXES.get(service, service.replace("Self-service Password Management", "SSPR"))


def initiated_by(cast: Cast, random: Random, actor: Person) -> Json:
    """Return one of the forms that Graph really sends; the user is an open type."""
    number = random.random()
    if number < 0.25:
        app = {"appId": None, "displayName": "Device Registration Service", "servicePrincipalId": guid(random)}
        return {"user": None, "app": {**app, "servicePrincipalName": None}}
    user: Json = user_identity(actor, f"192.0.2.{random.randrange(1, 250)}")
    if number < 0.45:
        user.update(userType="Member", homeTenantId=cast.tenant_id, homeTenantName=None)
    if number < 0.5:
        user.update(agentType="notAgentic")
    return {"user": user} if number > 0.9 else {"user": user, "app": None}


def user_identity(actor: Person, address: str | None) -> Json:
    """Return the person as the initiator of an audit."""
    return {"id": actor.id, "displayName": None, "userPrincipalName": actor.upn, "ipAddress": address}


def _everyday_target(activity: Activity, subject: Person, random: Random) -> Json:
    properties = []
    if activity.changed is not None:
        name, old, new = activity.changed
        properties = [modified(name, old, new), modified("Included Updated Properties", None, name)]
    if activity.target == "User":
        return user_target(subject, properties)
    return target(activity.target, guid(random), f"{activity.target} of {subject.name}", properties)


def target(kind: str, target_id: str, name: str, properties: list[Json]) -> Json:
    """Return what was changed."""
    return {
        "id": target_id,
        "displayName": name,
        "type": kind,
        "userPrincipalName": None,
        "groupType": "azureAD" if kind == "Group" else None,
        "modifiedProperties": properties,
    }


def user_target(person: Person, properties: list[Json]) -> Json:
    """Return a user that was changed."""
    return {**target("User", person.id, person.name, properties), "userPrincipalName": person.upn}


def modified(name: str, old: Any, new: Any) -> Json:
    """Return a changed property as Graph writes it: values are JSON inside strings."""
    return {
        "displayName": name,
        "oldValue": None if old is None else json.dumps(old),
        "newValue": json.dumps(new),
    }
