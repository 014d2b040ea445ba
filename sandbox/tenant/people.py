"""Who belongs to the simulated tenant: people, their devices and places, applications and policies."""

# ruff: noqa: PLR2004 - the sizes of a made-up world
from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

Json = dict[str, Any]

TENANT_NAME = "Winter Family Gardens (SIMULATED)"
DOMAIN = "winter-gardens.example"

_FAMILY = (
    ("Ingrid Winter", "ingrid"),
    ("Jonas Winter", "jonas"),
    ("Hanna Winter", "hanna"),
    ("Opa Karl Winter", "karl"),
    ("Zoë Winter-Ångström", "zoe"),
    ("Mehmet Yıldız", "mehmet"),
    ("Lucía O'Neill", "lucia"),
    ("Garden Shop", "shop"),
)
_GIVEN = (
    "Anna",
    "Björn",
    "Chloé",
    "Dmitri",
    "Eiko",
    "Fatima",
    "Giulia",
    "Håkon",
    "Inês",
    "Jürgen",
    "Khadija",
    "Łukasz",
)
_FAMILY_NAMES = ("Adler", "Brandt", "Castillo", "Đorđević", "Eriksson", "Fischer", "Haddad", "Ito", "Müller", "O'Brien")


@dataclass(frozen=True)
class Person:
    """A user of the tenant, with what they sign in from."""

    id: str
    name: str
    upn: str
    places: tuple[Place, ...]
    devices: tuple[Device, ...]


@dataclass(frozen=True)
class Place:
    """Where an address is; documentation and benchmarking ranges only.

    :param host: the last part of the address; without, each sign-in has another one.
    """

    location: Json
    network: str
    host: int | None = None


@dataclass(frozen=True)
class Device:
    """What a person holds in their hands."""

    detail: Json
    user_agent: str | None
    client_app: str


@dataclass(frozen=True)
class App:
    """An application, and the resource that it asks a token for."""

    id: str
    name: str
    resource_id: str
    resource: str


_EXCHANGE = ("00000002-0000-0ff1-ce00-000000000000", "Office 365 Exchange Online")
_GRAPH = ("00000003-0000-0000-c000-000000000000", "Microsoft Graph")
_AZURE = ("797f4846-ba00-4fd7-ba43-dac1f8f63013", "Windows Azure Service Management API")

APPS = (
    App("9199bf20-a13f-4107-85dc-02114787ef48", "One Outlook Web", *_EXCHANGE),
    App("27922004-5251-4030-b22d-91ecd9a37ea4", "Outlook Mobile", *_EXCHANGE),
    App("1fec8e78-bce4-4aaf-ab1b-5451cc387264", "Microsoft Teams", *_GRAPH),
    App("d3590ed6-52b3-4102-aeff-aad2292ab01c", "Microsoft Office", *_GRAPH),
    App("89bee1f7-5e6e-4d8a-9f3d-ecd601259da7", "Office365 Shell WCSS-Client", *_GRAPH),
    App("c44b4083-3bb0-49c1-b47d-974e53cbdf3c", "Azure Portal", *_AZURE),
)

LEGACY_APP = App("00000002-0000-0ff1-ce00-000000000000", "Office 365 Exchange Online", *_EXCHANGE)

_PLACES = (
    ("Freiburg im Breisgau", "Baden-Wurttemberg", "DE", 47.99904, 7.84235, "192.0.2."),
    ("Basel", "Basel-Stadt", "CH", 47.5584, 7.57327, "198.51.100."),
    ("Colmar", "Haut-Rhin", "FR", 48.08078, 7.35584, "2001:db8:47::"),
    ("Malmö", "Skane Lan", "SE", 55, 13, "198.51.100."),
    ("Bengaluru", "Karnataka", "IN", 12.97623, 77.60329, "198.18.7."),
    ("São Paulo", "Sao Paulo", "BR", -23.5475, -46.63611, "198.18.55."),
    ("Austin", "Texas", "US", 30.26715, -97.74306, "198.19.12."),
    ("Nairobi", "Nairobi Area", "KE", -1.28333, 36.81667, "198.19.200."),
    ("Osaka", "Osaka", "JP", 34.69374, 135.50218, "2001:db8:81::"),
    ("Auckland", "Auckland", "NZ", -36.84853, 174.76349, "198.19.64."),
)

_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0"
_APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_MAC = "Macintosh; Intel Mac OS X 10_15_7"
_PHONE = "iPhone; CPU iPhone OS 18_1 like Mac OS X"
_DESKTOP, _MOBILE = "Browser", "Mobile Apps and Desktop clients"
#: operating system, browser, kind of client, user agent
_DEVICES = (
    (
        "Windows10",
        "Edge 130.0.0",
        _DESKTOP,
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Safari/537.36 Edg/130.0.0.0",
    ),
    ("MacOs", "Safari 18.1", _DESKTOP, f"Mozilla/5.0 ({_MAC}) {_APPLE} Version/18.1 Safari/605.1.15"),
    ("Ios 18.1", "Mobile Safari", _MOBILE, f"Mozilla/5.0 ({_PHONE}) {_APPLE} Mobile/15E148"),
    (
        "Android",
        "Chrome Mobile 130.0.0",
        _MOBILE,
        f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {_WEBKIT} Mobile Safari/537.36",
    ),
    ("Linux", "Firefox 132.0", _DESKTOP, "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0"),
)


def place(index: int) -> Place:
    """Return one of the world's places; the first few are near the family's home."""
    city, state, country, latitude, longitude, network = _PLACES[index % len(_PLACES)]
    coordinates = {"altitude": None, "latitude": latitude, "longitude": longitude}
    location = {"city": city, "state": state, "countryOrRegion": country, "geoCoordinates": coordinates}
    return Place(location, network)


@dataclass(frozen=True)
class Cast:
    """Everybody and everything that the tenant's logs speak of; a pure function of seed and size."""

    seed: int
    tenant_id: str
    people: tuple[Person, ...]
    policies: tuple[Json, ...]

    @classmethod
    def of(cls, seed: int, tenant_id: str, sign_ins_per_day: int) -> Cast:
        """Return the family, or an MSP's many people where a family could not sign in that often."""
        names = Random(f"cast/{seed}")
        count = min(5000, max(len(_FAMILY), sign_ins_per_day // 50))
        reach = 4 if count < 50 else len(_PLACES)
        people = tuple(_person(names, number, reach) for number in range(count))
        return cls(seed, tenant_id, people, _policies(names))


def _person(names: Random, number: int, reach: int) -> Person:
    if number < len(_FAMILY):
        name, alias = _FAMILY[number]
        domain = DOMAIN
    else:
        given, family = names.choice(_GIVEN), names.choice(_FAMILY_NAMES)
        name, alias = f"{given} {family}", f"user{number}"
        domain = f"customer{number % 97}.example"
    home = names.randrange(reach) if reach > 4 else 0
    places = (place(home), place(home), place(home), place(names.randrange(reach)))
    devices = tuple(_device(names, number, slot) for slot in range(2))
    return Person(guid(names), name, f"{alias}@{domain}", places, devices)


def _device(names: Random, number: int, slot: int) -> Device:
    system, browser, client_app, user_agent = names.choice(_DEVICES)
    known = slot == 0 and number % 3 == 0
    detail = {
        "deviceId": guid(names) if known else "",
        "displayName": f"WINTER-PC-{number:02d}" if known else "",
        "operatingSystem": system,
        "browser": browser,
        "isCompliant": known,
        "isManaged": known,
        "trustType": "Azure AD joined" if known else "",
    }
    return Device(detail, user_agent, client_app)


def _policies(names: Random) -> tuple[Json, ...]:
    wanted = (
        ("SecurityDefaults", "Security Defaults", ["Mfa"], "success"),
        (guid(names), "Require MFA for administrators", ["Mfa"], "notApplied"),
        (guid(names), "Block legacy authentication", ["Block"], "reportOnlyNotApplied"),
    )
    return tuple(
        {
            "id": policy_id,
            "displayName": name,
            "enforcedGrantControls": grants,
            "enforcedSessionControls": [],
            "result": result,
        }
        for policy_id, name, grants, result in wanted
    )


def guid(random: Random) -> str:
    """Return a random GUID; much faster than uuid.UUID."""
    text = f"{random.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
