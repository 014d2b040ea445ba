"""The story this project began with: a family's mail account gets hacked, and the logs show it.

Nights of password spraying from abroad, one right guess, push prompts until somebody accepts, mail read over a legacy
protocol, a malicious application with consent, a second phone registered, a credential on an application, a new
administrator. The victim, awake from the prompts, looks at her mail and sees nothing; in the morning the break-glass
account puts an end to it. The climax is on `story_day`.
"""

# ruff: noqa: PLR2004 - the plot
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from random import Random

from sandbox import ticks
from sandbox.tenant.directory_audits import (
    KEY_ADDED,
    METHODS,
    Activity,
    audit_id_prefix,
    directory_audit,
    modified,
    target,
    user_identity,
    user_target,
)
from sandbox.tenant.intruder import (
    ACCEPTED,
    ATTACKER,
    COMPROMISED,
    DENIED,
    HIGH,
    INTRUDER,
    LEGACY,
    LOCKED,
    MAIL_APP,
    NOT_FOUND,
    PORTAL,
    SPRAY_FROM,
    SPRAYER,
)
from sandbox.tenant.people import APPS, DOMAIN, LEGACY_APP, App, Cast, Device, Json, Person, Place, guid, place
from sandbox.tenant.sign_ins import Attempt, sign_in, status_of


@dataclass(frozen=True)
class Scene:
    """One record of the story.

    :param later: the contents that it takes on later: (ticks after its first appearance, content).
    """

    stream: str
    at: int
    record: Json
    later: tuple[tuple[int, Json], ...] = ()


def tell(cast: Cast, story_day: date) -> list[Scene]:
    """Return all scenes in the order of their instants."""
    return sorted(_Story(cast, ticks.start_of(story_day)).scenes(), key=lambda scene: scene.at)


class _Story:
    """All scenes around one midnight; `scenes` tells them in the order of the plot."""

    def __init__(self, cast: Cast, midnight: int) -> None:
        self._cast = cast
        self._midnight = midnight
        self._random = Random(f"story/{cast.seed}")
        self._victim = cast.people[0]
        self._glass = self._extra_person("Break Glass", "break-glass")
        self._planted = self._extra_person("Backup Service", "svc-backup")

    def _extra_person(self, name: str, alias: str) -> Person:
        return Person(guid(self._random), name, f"{alias}@{DOMAIN}", (place(0),), ())

    def scenes(self) -> Iterator[Scene]:
        """Tell the whole story."""
        yield from self._spray()
        yield from self._fatigue()
        yield from self._inside()
        yield from self._consent()
        yield from self._takeover()
        yield from self._rescue()

    def _at(self, clock: str, days: int = 0) -> int:
        hour, minute, second = (int(part) for part in clock.split(":"))
        return self._midnight + days * ticks.DAY + hour * ticks.HOUR + minute * ticks.MINUTE + second * ticks.SECOND

    def _sign_in(  # noqa: PLR0913, PLR0917 - who, what, where, how
        self, at: int, who: Person, tool: Device, where: Place, app: App, status: Json
    ) -> Scene:
        is_machine = where is ATTACKER or where in SPRAY_FROM
        address = where.network if is_machine else f"{where.network}{self._random.randrange(10, 60)}"
        record_id, correlation = guid(self._random), guid(self._random)
        attempt = Attempt(who, tool, where, app, address, correlation)
        return Scene("sign_ins", at, sign_in(self._cast, record_id, ticks.iso(at, 0), attempt, status))

    def _spray(self) -> Iterator[Scene]:
        ghosts = [self._extra_person(name.title(), name) for name in ("admin", "info", "scanner")]
        for night in range(-5, 1):
            at = self._at("00:20:00", night)
            for attempt, person in enumerate((*self._cast.people[:8], *ghosts) * 2):
                at += self._random.randrange(20, 90) * ticks.SECOND
                status = NOT_FOUND if person in ghosts else status_of(50126)
                device = LEGACY if attempt % 3 else SPRAYER
                status = LOCKED if attempt == 15 else status
                yield self._sign_in(at, person, device, SPRAY_FROM[night % 3], LEGACY_APP, status)
        # The guess: right, but not enough.
        yield self._sign_in(self._at("00:58:20"), self._victim, SPRAYER, SPRAY_FROM[0], APPS[0], status_of(50074))

    def _fatigue(self) -> Iterator[Scene]:
        at = self._at("01:10:00")
        for _ in range(14):
            at += self._random.randrange(40, 100) * ticks.SECOND
            yield self._sign_in(at, self._victim, INTRUDER, ATTACKER, APPS[0], DENIED)
        yield _found_risky(self._sign_in(self._at("01:37:12"), self._victim, INTRUDER, ATTACKER, APPS[0], ACCEPTED))

    def _inside(self) -> Iterator[Scene]:
        done = {"errorCode": 0, "failureReason": "Other.", "additionalDetails": None}
        yield _found_risky(self._sign_in(self._at("01:41:03"), self._victim, LEGACY, ATTACKER, LEGACY_APP, done))
        yield self._sign_in(self._at("01:43:30"), self._victim, INTRUDER, ATTACKER, MAIL_APP, status_of(65001))
        yield _found_risky(self._sign_in(self._at("01:44:05"), self._victim, INTRUDER, ATTACKER, MAIL_APP, done))
        yield _found_risky(self._sign_in(self._at("02:02:47"), self._victim, INTRUDER, ATTACKER, PORTAL, ACCEPTED))
        yield self._sign_in(self._at("02:09:15"), self._victim, self._victim.devices[0], place(0), APPS[1], done)
        yield self._sign_in(self._at("02:20:10"), self._planted, INTRUDER, ATTACKER, PORTAL, done)

    def _audit(self, at: int, activity: Activity, targets: list[Json], correlation: str | None = None) -> Scene:
        return self._audit_by(self._victim, ATTACKER.network, at, activity, targets, correlation)

    def _audit_by(  # noqa: PLR0913, PLR0917
        self,
        actor: Person,
        address: str,
        at: int,
        activity: Activity,
        targets: list[Json],
        correlation: str | None = None,
    ) -> Scene:
        names = audit_id_prefix(activity.service), correlation or guid(self._random)
        record_id = f"{names[0]}_{names[1]}_{self._random.getrandbits(20):05X}_{at % 97}"
        initiator = {"user": user_identity(actor, address), "app": None}
        return Scene("directory_audits", at, directory_audit(record_id, activity, ticks.iso(at), initiator, targets))

    def _consent(self) -> Iterator[Scene]:
        at, correlation = self._at("01:44:02") + 5_603_524, guid(self._random)
        scope = " Mail.ReadWrite MailboxSettings.ReadWrite offline_access"
        granted = modified("DelegatedPermissionGrant.Scope", None, scope)
        consented = modified("ConsentAction.Permissions", None, f"[[Id: …, ClientId: …, Scope:{scope}]]")
        app = target("ServicePrincipal", guid(self._random), MAIL_APP.name, [granted])
        steps = (
            ("Add service principal", "Add", app),
            ("Add delegated permission grant", "Assign", app),
            ("Consent to application", "Assign", {**app, "modifiedProperties": [consented]}),
        )
        for number, (name, operation, subject) in enumerate(steps):
            activity = Activity(name, "ApplicationManagement", operation)
            yield self._audit(at + number * 65_000, activity, [subject], correlation)

    def _takeover(self) -> Iterator[Scene]:
        victim, planted = user_target(self._victim, []), user_target(self._planted, [])
        for clock, name in (("01:46:20", "User registered security info"), ("01:47:02", "User deleted security info")):
            yield self._audit(self._at(clock), Activity(name, "UserManagement", "Update", METHODS), [victim])
        secret = modified("KeyDescription", [], ["[KeyType=Password,KeyUsage=Verify,DisplayName=sync]"])
        shop = target("Application", guid(self._random), "Garden Shop Sync", [secret])
        yield self._audit(self._at("02:05:11"), KEY_ADDED, [shop])
        yield self._audit(self._at("02:11:40"), Activity("Add user", "UserManagement", "Add"), [planted])
        role = modified("Role.DisplayName", None, "Global Administrator")
        assigned = user_target(self._planted, [role])
        yield self._audit(self._at("02:12:08"), Activity("Add member to role", "RoleManagement", "Assign"), [assigned])

    def _rescue(self) -> Iterator[Scene]:
        laptop = self._cast.people[1].devices[0]
        yield self._sign_in(self._at("07:48:00"), self._glass, laptop, place(0), PORTAL, ACCEPTED)
        mail_app = target("ServicePrincipal", guid(self._random), MAIL_APP.name, [])
        victim, planted = user_target(self._victim, []), user_target(self._planted, [])
        for clock, name, kind, subject in (
            ("07:52:31", "Disable account", "UserManagement", planted),
            ("07:54:02", "Reset user password", "UserManagement", victim),
            ("07:54:45", "Update StsRefreshTokenValidFrom Timestamp", "UserManagement", victim),
            ("08:01:19", "Delete user", "UserManagement", planted),
            ("08:05:00", "Remove service principal", "ApplicationManagement", mail_app),
        ):
            activity = Activity(name, kind, "Update")
            yield self._audit_by(self._glass, "192.0.2.17", self._at(clock) + 7, activity, [subject])


def _found_risky(scene: Scene) -> Scene:
    """Let the risk come to light an hour later, and a person confirm it after two days."""
    later = ((ticks.HOUR, {**scene.record, **HIGH}), (2 * ticks.DAY, {**scene.record, **COMPROMISED}))
    return replace(scene, later=later)
